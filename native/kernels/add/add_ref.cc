// SPDX-License-Identifier: Apache-2.0
#include "kernels/add/add_ref.h"

#include <algorithm>
#include <cmath>

#include "kernels/requant/finish.h"
#include "numeric/requant.h"

namespace lastbit {
namespace {

using program::AddAligned;
using program::AddF32;
using program::AddOrder;
using program::AddRequant;
using program::AddRescaled;
using program::AddTables;

struct ZeroPoints {
  int32_t a, b, out;
  int32_t least_a, least_b;  // codes
};

// Each form: codes -> the sum at the output's scale, its zero point included.

int64_t sum_of(const AddRescaled& f, const ZeroPoints& z, int32_t a, int32_t b) {
  const int64_t shifted_a = int64_t{a - z.a} * (int64_t{1} << f.left_shift);
  const int64_t shifted_b = int64_t{b - z.b} * (int64_t{1} << f.left_shift);
  const Int128 sum = apply_fixed(shifted_a, f.multiplier_a, f.shift_a, f.rule) +
                     apply_fixed(shifted_b, f.multiplier_b, f.shift_b, f.rule);
  // The loader has proved that operands and sum fit 32 bits.
  const auto acc = static_cast<int64_t>(sum);
  return static_cast<int64_t>(apply_fixed(acc, f.multiplier_out, f.shift_out, f.rule)) + z.out;
}

int64_t sum_of(const AddAligned& f, const ZeroPoints& z, int32_t a, int32_t b) {
  // |a - za| < 2^16 and multipliers < 2^31: the sum has at most 49 bits.
  const int64_t p = int64_t{a - z.a} * f.multiplier_a + int64_t{b - z.b} * f.multiplier_b;
  const int64_t y =
      f.shift == 0 ? p : static_cast<int64_t>(round_shift<Int128>(p, f.shift, f.rule));
  return y + z.out;
}

int64_t sum_of(const AddF32& f, const ZeroPoints& z, int32_t a, int32_t b) {
  const float ra = f.scale_a, rb = f.scale_b;
  const auto za = static_cast<float>(z.a), zb = static_cast<float>(z.b);
  const auto zo = static_cast<float>(z.out), fa = static_cast<float>(a), fb = static_cast<float>(b);
  switch (f.order) {
    case AddOrder::separate: {
      const float fix = zo - (ra * za + rb * zb);
      return round_to_even((fix + fa * ra) + fb * rb);
    }
    case AddOrder::fused: {
      const float fix = zo - std::fmaf(ra, za, rb * zb);
      return round_to_even(std::fmaf(fa, ra, std::fmaf(fb, rb, fix)));
    }
    case AddOrder::direct:
      break;
  }
  const float sum = ra * (fa - za) + rb * (fb - zb);
  return round_to_even(sum / f.scale_out + zo);
}

// A few sums at a time, so that a stage is chosen once for all of them.
void add_rows(const program::Add& add, const AddRequant& f, const ZeroPoints& z, const int32_t* a,
              const int32_t* b, size_t count, int32_t* y) {
  constexpr size_t portion = 64;
  int64_t sums[portion];
  for (size_t at = 0; at < count; at += portion) {
    const size_t some = std::min(portion, count - at);
    for (size_t i = 0; i < some; ++i) {
      sums[i] =
          int64_t{a[at + i] - z.a} * f.multiplier_a + int64_t{b[at + i] - z.b} * f.multiplier_b;
    }
    requantize(f.requant, 0, some, sums);  // one entry for all channels
    for (size_t i = 0; i < some; ++i) {
      y[at + i] = static_cast<int32_t>(clamp_to<int64_t>(sums[i] + z.out, add.lo, add.hi));
    }
  }
}

void add_rows(const program::Add& add, const AddTables& f, const ZeroPoints& z, const int32_t* a,
              const int32_t* b, size_t count, int32_t* y) {
  for (size_t i = 0; i < count; ++i) {
    int64_t sum = int64_t{f.table_a[static_cast<size_t>(a[i] - z.least_a)]} +
                  f.table_b[static_cast<size_t>(b[i] - z.least_b)];
    requantize(f.requant, 0, 1, &sum);
    y[i] = static_cast<int32_t>(clamp_to<int64_t>(sum + z.out, add.lo, add.hi));
  }
}

template <class Form>
void add_rows(const program::Add& add, const Form& form, const ZeroPoints& z, const int32_t* a,
              const int32_t* b, size_t count, int32_t* y) {
  for (size_t i = 0; i < count; ++i) {
    y[i] = static_cast<int32_t>(clamp_to<int64_t>(sum_of(form, z, a[i], b[i]), add.lo, add.hi));
  }
}

}  // namespace

void add_ref(const program::Add& add, const program::Tensor& a_tensor,
             const program::Tensor& b_tensor, const program::Tensor& output, const int32_t* a,
             const int32_t* b, size_t count, int32_t* y) {
  const ZeroPoints z{a_tensor.zero_point, b_tensor.zero_point, output.zero_point,
                     program::least_code(a_tensor.type), program::least_code(b_tensor.type)};
  std::visit([&](const auto& form) { add_rows(add, form, z, a, b, count, y); }, add.form);
}

}  // namespace lastbit
