// SPDX-License-Identifier: Apache-2.0
// Residual addition of 8-bit images by SIMD. Whatever an operand goes through alone (its rescaling,
// its product with a float) is a function of 256 codes: it is tabulated at load by the definition,
// so it is exact for every form and rule. The vectors look both operands up, add, and finish.
// Looking up is slow. What it all comes to is nearly a line, and where a line in float32 rounds to
// the same code for each of the 65,536 pairs (tried at load, by the kernel itself), it is used
// instead.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/requant/epilogue.h"
#include "memory/aligned.h"

namespace lastbit {

// How the sum of two table entries becomes a code.
enum class AddFinish : uint8_t {
  affine,  // int32 entries, then the Form of the same name
  affine_preshift,
  double_rounding,
  shift,
  f32,         // float entries: RNE(a + b)
  f32_divide,  // float entries: RNE((a + b) / divisor + zero point)
  line,        // no tables: RNE(a * slope + (b * slope + offset)), codes less 128
};
constexpr int add_finish_count = 7;

struct AddArgs {
  const uint8_t* a = nullptr;
  const uint8_t* b = nullptr;
  uint8_t* y = nullptr;              // may be a or b
  size_t count = 0;                  // codes
  const int32_t* table_a = nullptr;  // 256 entries by stored code: int32 or the bits of a float
  const int32_t* table_b = nullptr;
  // form_slots(form) vectors; f32_divide: divisor, zero point; line: a's slope and b's, both over
  // 2^24, offset.
  const int32_t* parameters = nullptr;
  uint8_t lo = 0, hi = 255;  // stored
};
using AddRow = void (*)(const AddArgs&);

struct AddKernel {
  const char* name;
  int32_t lanes;
  AddRow rows[add_finish_count];
};

#define VARIANT(name, needs) extern const AddKernel name;
#include "kernels/add/variants.inc"
#undef VARIANT

// y - 128 = (a - 128) * slope_a + (b - 128) * slope_b + offset of stored codes, nearly.
struct AddLine {
  double slope_a, slope_b, offset;
};

// An addition whose tables are made. Immutable, shared by threads.
class FastAdd {
 public:
  // y[i] = add(a[i], b[i]), stored codes; reads and writes exactly `count` bytes.
  void run(const uint8_t* a, const uint8_t* b, size_t count, uint8_t* y) const;
  const char* name() const { return kernel_->name; }

 private:
  struct Miss;
  std::vector<uint8_t> all_codes() const;
  void set_line(const AddLine& line);
  Miss first_miss(const std::vector<uint8_t>& expected) const;
  void find_line(AddLine line);

  friend std::unique_ptr<FastAdd> make_fast_add(const program::Add& add, const program::Tensor& a,
                                                const program::Tensor& b,
                                                const program::Tensor& output, uint32_t cpu_flags);
  const AddKernel* kernel_ = nullptr;
  AddFinish finish_ = AddFinish::affine;
  AlignedBytes tables_, parameters_;
  uint8_t lo_ = 0, hi_ = 255;
};

// nullptr if no variant of `cpu_flags` computes this addition exactly (wider types, a fused
// multiply-add, a rule without a SIMD form): add_ref then runs.
std::unique_ptr<FastAdd> make_fast_add(const program::Add& add, const program::Tensor& a,
                                       const program::Tensor& b, const program::Tensor& output,
                                       uint32_t cpu_flags);

}  // namespace lastbit
