// SPDX-License-Identifier: Apache-2.0
// A checked integer program, as load.h makes it from bytes. What each field means to the last bit
// is specified in src/program/NOTES.md; what the loader guarantees is said here, so that nothing
// downstream checks again.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "memory/view.h"
#include "numeric/round.h"
#include "numeric/saturate.h"

namespace lastbit::program {

enum class CodeType : uint8_t { u8, s8, s16, s32 };

constexpr int32_t least_code(CodeType t) {
  constexpr int32_t least[] = {0, -128, -32768, INT32_MIN};
  return least[static_cast<size_t>(t)];
}
constexpr int32_t greatest_code(CodeType t) {
  constexpr int32_t greatest[] = {255, 127, 32767, INT32_MAX};
  return greatest[static_cast<size_t>(t)];
}
constexpr size_t code_bytes(CodeType t) {
  return t == CodeType::s32 ? 4 : t == CodeType::s16 ? 2 : 1;
}
constexpr bool is_8_bit(CodeType t) { return t == CodeType::u8 || t == CodeType::s8; }

// What is added to a code of an 8-bit tensor to get the stored u8 of memory/view.h: 0 or 128.
constexpr int32_t stored_offset(CodeType t) { return t == CodeType::s8 ? 128 : 0; }

// height, width, channels are in [1, 65536], codes() <= 2^28; zero_point is a code of the type.
struct Tensor {
  std::string name;
  CodeType type = CodeType::u8;
  int32_t height = 0, width = 0, channels = 0;
  int32_t zero_point = 0;
  float scale = 0;

  size_t pixels() const { return static_cast<size_t>(height) * static_cast<size_t>(width); }
  size_t codes() const { return pixels() * static_cast<size_t>(channels); }
  size_t bytes() const { return codes() * code_bytes(type); }
};

// Stages of a requantization, on exact integers; arrays have one entry, or one per channel. The
// loader has shown that no value, sum or product leaves [-2^62, 2^62].
struct StageAdd {
  std::vector<int64_t> value;
};
struct StageMultiply {
  std::vector<int32_t> factor;
};
struct StageShift {
  Rule rule = Rule::half_up;   // a plain one
  std::vector<int32_t> shift;  // [-31, 62], negative = left
};
struct StageSaturate {
  int32_t bits = 2;  // [2, 62]
};
struct StageClamp {
  std::vector<int64_t> lo, hi;  // lo <= hi
};
// All arrays have one entry per segment, at most 64.
struct StageSegments {
  Rule rule = Rule::half_up;   // a plain one
  std::vector<int64_t> start;  // strictly ascending
  std::vector<int32_t> multiplier;
  std::vector<int32_t> shift;  // [0, 62]
  std::vector<int64_t> offset;
};
struct StageThresholds {
  bool strict = false;
  size_t count = 1;             // of a channel
  std::vector<int64_t> values;  // count, or channels x count; ascending within a channel
};

// Alternatives are numbered as in the format.
using Stage = std::variant<StageAdd, StageMultiply, StageShift, StageSaturate, StageClamp,
                           StageSegments, StageThresholds>;

enum class RequantKind : uint8_t { none, fixed, f32, shift, stages, f32_rule, f64 };

// Arrays that the kind uses have one entry, or one per output channel; the others are empty. In a
// Conv the loader repeats a single entry, so there it is always one per output channel, but not
// inside of stages.
struct Requant {
  RequantKind kind = RequantKind::none;
  Rule rule = Rule::half_up;                    // fixed: any; shift: a plain one
  std::vector<int32_t> multiplier;              // fixed: [0, 2^31 - 1]
  std::vector<int32_t> shift;                   // fixed: [1, 62]; shift: [-31, 62], negative = left
  std::vector<float> scale;                     // f32, f32_rule: positive, finite
  FloatRule float_rule = FloatRule::half_even;  // f32_rule: not half_even, which is loaded as f32
  std::vector<double> scale64;                  // f64: [2^-64, 2^64]
  std::vector<Stage> stages;                    // stages: 1 to 16
};

// Arrays as in Requant; lo <= hi for every channel, both codes of the output's type (not stored
// ones).
struct Clamp {
  std::vector<int32_t> lo, hi;
};

// Entry of channel c in an array of one entry or one per channel.
template <class T>
const T& of_channel(const std::vector<T>& values, size_t c) {
  return values[values.size() == 1 ? 0 : c];
}

enum class Overflow : uint8_t { wrap, saturate, saturate_symmetric, trap };
enum class When : uint8_t { each, end };
enum class Products : uint8_t { exact, sat_pairs16 };

struct Accumulator {
  int32_t bits = 32;  // [16, 64]
  Overflow overflow = Overflow::wrap;
  When when = When::end;
  Products products = Products::exact;
  bool bias_first = false;
};

enum class WeightType : uint8_t { s8, u8, s16 };

constexpr size_t weight_bytes(WeightType t) { return t == WeightType::s16 ? 2 : 1; }

// A window that slides over an image; kernel, strides, dilations are at least 1 and the output's
// shape follows from them.
struct Window {
  int32_t kernel_h = 1, kernel_w = 1;
  int32_t stride_h = 1, stride_w = 1;
  int32_t dilation_h = 1, dilation_w = 1;
  Pads pads;
};

struct Conv {
  Window window;
  int32_t groups = 1;           // divides input and output channels
  int32_t input_channels = 0;   // of the whole input tensor
  int32_t output_channels = 0;  // = bias.size()
  WeightType weight_type = WeightType::s8;
  // [oc][ky][kx][ic / groups], dense, weight_count elements of weight_type, aligned to its size. A
  // view into the bytes given to load(): it dies with them, so whoever needs weights later packs
  // or copies them while the program is being prepared.
  const void* weights = nullptr;
  size_t weight_count = 0;
  std::vector<int32_t> weight_zero_points;  // one per output channel
  std::vector<int32_t> bias;                // one per output channel
  Accumulator accumulator;
  Requant requant;
  Clamp clamp;

  // Terms in the sum of one output value.
  size_t reduction() const {
    return static_cast<size_t>(window.kernel_h) * static_cast<size_t>(window.kernel_w) *
           static_cast<size_t>(input_channels / groups);
  }
  // Weight i of output channel oc, as stored (its zero point not subtracted).
  int32_t weight(size_t oc, size_t i) const {
    const size_t at = oc * reduction() + i;
    switch (weight_type) {
      case WeightType::s8:
        return static_cast<const int8_t*>(weights)[at];
      case WeightType::u8:
        return static_cast<const uint8_t*>(weights)[at];
      case WeightType::s16:
        break;
    }
    return static_cast<const int16_t*>(weights)[at];
  }
};

struct AddRescaled {
  int32_t left_shift = 0;
  int32_t multiplier_a = 0, shift_a = 1, multiplier_b = 0, shift_b = 1;
  int32_t multiplier_out = 0, shift_out = 1;
  Rule rule = Rule::half_up;
};

struct AddAligned {
  int32_t multiplier_a = 0, multiplier_b = 0;
  int32_t shift = 0;  // [0, 62]
  Rule rule = Rule::half_up;
};

enum class AddOrder : uint8_t { separate, fused, direct };

struct AddF32 {
  AddOrder order = AddOrder::separate;
  float scale_a = 0, scale_b = 0, scale_out = 0;
};

// (a - za) * multiplier_a + (b - zb) * multiplier_b fits 32 bits for all codes.
struct AddRequant {
  int32_t multiplier_a = 0, multiplier_b = 0;  // [0, 2^31 - 1]
  Requant requant;                             // not none; arrays of one entry
};

// Operands of 8 bits; 256 entries each, the i-th for the i-th code. All sums of two fit 32 bits.
struct AddTables {
  std::vector<int32_t> table_a, table_b;
  Requant requant;  // not none; arrays of one entry
};

struct Add {
  std::variant<AddRescaled, AddAligned, AddF32, AddRequant, AddTables> form;
  int32_t lo = 0, hi = 0;
};

struct Mul {
  Requant requant;
  Clamp clamp;
  bool repeat_b = false;  // the second operand is 1 x 1 x C over a larger image
};

enum class DivideRule : uint8_t { half_away, half_up, trunc0 };

enum class AverageForm : uint8_t { divide, requant, f32_window };

struct AveragePool {
  Window window;
  AverageForm form = AverageForm::divide;
  DivideRule rule = DivideRule::half_away;  // divide
  Requant requant;                          // requant
  float scale_in = 1, scale_out = 1;        // f32_window: [2^-64, 2^64]
  Clamp clamp;
};

struct MaxPool {
  Window window;
  Clamp clamp;
};

struct Concat {};

struct Pad {
  Pads pads;
};

struct Reshape {};

struct Lut {
  std::vector<int32_t> table;  // 256 codes of the output's type, 65536 for an s16 input
};

struct SoftmaxGemmlowp {
  int32_t multiplier = 0;
  int32_t left_shift = 0;  // [0, 31]
  int32_t diff_min = 0;
};

enum class SoftmaxRule : uint8_t { half_away, trunc_half };

struct SoftmaxTable {
  std::vector<float> table;  // 256, finite, not negative; table[0] * output_scale is normal
  float output_scale = 0;
  SoftmaxRule rule = SoftmaxRule::half_away;
};

// 65536 entries each in [0, 32767], the first of exp at least 2^14; s16 on both sides.
struct SoftmaxWide {
  std::vector<int16_t> exp, reciprocal;
};

struct Softmax {
  std::variant<SoftmaxGemmlowp, SoftmaxTable, SoftmaxWide> form;
};

// Code i of the output, in NHWC order, is the second input's where i mod period >= from.
struct Splice {
  size_t period = 2, from = 1;  // 1 <= from < period <= codes
};

// Of each row (or column) of the output: the two of the input that it lies between, and the weight
// of each.
struct ResizeAxis {
  std::vector<int32_t> first, second;
  std::vector<int32_t> weight;                     // integer: of the second, [0, 2^bits]
  std::vector<float> first_weight, second_weight;  // the other forms: [-2, 2]
};

enum class ResizeForm : uint8_t { integer, f32_codes, f32_reals, f32_shares };

struct Resize {
  ResizeAxis rows, columns;
  ResizeForm form = ResizeForm::integer;
  int32_t bits = 0;                   // integer: [0, 11]
  Rule rule = Rule::floor;            // integer: a plain one
  float scale_in = 1, scale_out = 1;  // f32_reals: [2^-64, 2^64]
};

using Body = std::variant<Conv, Add, Mul, AveragePool, MaxPool, Concat, Pad, Reshape, Lut, Softmax,
                          Splice, Resize>;

// Numbered as the alternatives of Body and as in the format.
enum class Opcode : uint8_t {
  conv,
  add,
  mul,
  average_pool,
  max_pool,
  concat,
  pad,
  reshape,
  lut,
  softmax,
  splice,
  resize,
};

struct Op {
  std::string name;
  std::vector<uint32_t> inputs;  // tensors, each written before this operation
  uint32_t output = 0;
  Body body;

  Opcode opcode() const { return static_cast<Opcode>(body.index()); }
};

// How a real becomes a code of the input: v = f32(x / scale), or f32(x * f32(1 / scale)), rounded
// half to even, or half away from zero.
struct InputRule {
  bool multiplies_inverse = false;
  bool half_even = false;
};

struct Program {
  std::string target;
  std::vector<Tensor> tensors;
  uint32_t input = 0;  // not s32
  InputRule input_rule;
  std::vector<uint32_t> outputs;
  std::vector<Op> ops;
};

}  // namespace lastbit::program
