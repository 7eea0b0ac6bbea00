// SPDX-License-Identifier: Apache-2.0
// Operations that move or look up codes, and softmax.
#include "program/loader.h"

namespace lastbit::program {
namespace {

// The sum of a table's entries and its inverse stay normal float32 within these.
constexpr float least_share = 0x1p-32f, greatest_share = 0x1p32f;

}  // namespace

Body Loader::read_concat() {
  require_same_codes();
  int64_t channels = 0;
  for (const Tensor* t : inputs_) {
    require(t->height == in().height && t->width == in().width,
            "its inputs must have equal height and width");
    channels += t->channels;
  }
  require_output(in().height, in().width, channels);
  return Concat{};
}

Body Loader::read_pad() {
  require_same_codes();
  const Pads p = read_pads();
  require_output(int64_t{in().height} + p.top + p.bottom, int64_t{in().width} + p.left + p.right,
                 in().channels);
  return Pad{p};
}

Body Loader::read_reshape() {
  require_same_codes();
  require(in().codes() == out_->codes(), "its output has another number of codes");
  return Reshape{};
}

Body Loader::read_lut() {
  require_output_like(in());
  Lut lut{r_.array<int32_t>("the table")};
  if (is_8_bit(in().type)) {
    require(lut.table.size() == 256, "its table must have 256 entries");
  } else {
    require(lut.table.size() == 65536, "its table must have 65536 entries");
  }
  require_range(lut.table, least_code(out_->type), greatest_code(out_->type), "a table entry");
  return lut;
}

Body Loader::read_softmax() {
  require_output_like(in());
  Softmax softmax;
  const uint32_t form = r_.u32_in("a softmax's form", 0, 2);
  if (form == 2) {
    softmax.form = read_softmax_wide();
    return softmax;
  }
  require(is_8_bit(in().type) && is_8_bit(out_->type), "its input and output must have 8 bits");
  if (form == 0) {
    softmax.form = read_softmax_gemmlowp();
  } else {
    softmax.form = read_softmax_table();
  }
  return softmax;
}

SoftmaxWide Loader::read_softmax_wide() {
  require(in().type == CodeType::s16 && out_->type == CodeType::s16,
          "its input and output must be s16");
  SoftmaxWide f{r_.array<int16_t>("the table of exp"), r_.array<int16_t>("the reciprocals")};
  require(f.exp.size() == 65536 && f.reciprocal.size() == 65536,
          "its tables must have 65536 entries");
  require_range(f.exp, 0, INT16_MAX, "a table entry");
  require_range(f.reciprocal, 0, INT16_MAX, "a table entry");
  require(f.exp[0] >= 1 << 14, "the first table entry must be at least 2^14");
  return f;
}

Body Loader::read_splice() {
  require_same_codes();
  require_output_like(in(0));
  require_output_like(in(1));
  const auto codes = static_cast<uint32_t>(out_->codes());
  require(codes >= 2, "a single code cannot be spliced");
  Splice splice;
  splice.period = r_.u32_in("the period", 2, codes);
  splice.from =
      r_.u32_in("the first code of the second input", 1, static_cast<uint32_t>(splice.period - 1));
  return splice;
}

Body Loader::read_resize() {
  require(in().channels == out_->channels, "its output has another number of channels");
  Resize resize;
  resize.form = r_.enumeration<ResizeForm>("a resize's form", 4);
  if (resize.form == ResizeForm::integer) {
    resize.bits = static_cast<int32_t>(r_.u32_in("the fractional bits", 0, 11));
    resize.rule = r_.enumeration<Rule>("a rule", plain_rule_count);
  } else {
    require(is_8_bit(in().type) && is_8_bit(out_->type), "its input and output must have 8 bits");
  }
  if (resize.form == ResizeForm::f32_reals) {
    resize.scale_in = moderate_scale("scaleIn");
    resize.scale_out = moderate_scale("scaleOut");
  } else {
    require_same_codes();
  }
  resize.rows = read_resize_axis(resize, in().height, out_->height);
  resize.columns = read_resize_axis(resize, in().width, out_->width);
  return resize;
}

ResizeAxis Loader::read_resize_axis(const Resize& resize, int32_t from, int32_t to) {
  const auto count = static_cast<size_t>(to);
  ResizeAxis axis;
  axis.first = r_.array<int32_t>("the first positions");
  axis.second = r_.array<int32_t>("the second positions");
  require(axis.first.size() == count && axis.second.size() == count,
          "it needs two positions for each row and column of its output");
  require_range(axis.first, 0, from - 1, "a position");
  require_range(axis.second, 0, from - 1, "a position");
  if (resize.form == ResizeForm::integer) {
    axis.weight = r_.array<int32_t>("the weights");
    require(axis.weight.size() == count, "it needs a weight for each row and column of its output");
    require_range(axis.weight, 0, int64_t{1} << resize.bits, "a weight");
    return axis;
  }
  axis.first_weight = r_.array<float>("the first weights");
  axis.second_weight = r_.array<float>("the second weights");
  for (const auto* weights : {&axis.first_weight, &axis.second_weight}) {
    require(weights->size() == count, "it needs a weight for each row and column of its output");
    for (const float w : *weights) require(w >= -2 && w <= 2, "a weight must be in [-2, 2]");
  }
  return axis;
}

SoftmaxGemmlowp Loader::read_softmax_gemmlowp() {
  SoftmaxGemmlowp f;
  f.multiplier = r_.i32_in("the multiplier", 0, INT32_MAX);
  f.left_shift = static_cast<int32_t>(r_.u32_in("leftShift", 0, 31));
  // Keeps (x - max) << leftShift, and so the argument of exp, within 32 bits.
  f.diff_min = r_.i32_in("diffMin", -((31 << 26) >> f.left_shift), 0);
  // Each exp adds at most 2^19 to the sum in Q12.19.
  require(in().channels <= 4095, "more than 4095 channels overflow the sum");
  return f;
}

SoftmaxTable Loader::read_softmax_table() {
  SoftmaxTable f;
  f.table = r_.array<float>("the table");
  require(f.table.size() == 256, "its table must have 256 entries");
  for (const float t : f.table) {
    require(t >= 0 && t <= greatest_share, "a table entry must be in [0, 2^32]");
  }
  require(f.table[0] >= least_share, "the first table entry must be at least 2^-32");
  f.output_scale = bounded_scale("outputScale", 32);
  f.rule = r_.enumeration<SoftmaxRule>("a rule", 2);
  return f;
}

}  // namespace lastbit::program
