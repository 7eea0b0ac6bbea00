// SPDX-License-Identifier: Apache-2.0
#include "numeric/requant.h"
#include "program/loader.h"

namespace lastbit::program {

Body Loader::read_add() {
  Add add;
  require_output_like(in(0));
  require_output_like(in(1));
  require(out_->type != CodeType::s32, "its output must not be s32");
  switch (r_.u32_in("an add's form", 0, 4)) {
    case 0:
      add.form = read_rescaled();
      break;
    case 1:
      add.form = read_aligned();
      break;
    case 2:
      add.form = read_f32_add();
      break;
    case 3:
      add.form = read_requant_add();
      break;
    default:
      add.form = read_table_add();
  }
  const Clamp clamp = read_clamp(1);
  add.lo = clamp.lo[0];
  add.hi = clamp.hi[0];
  return add;
}

AddRescaled Loader::read_rescaled() {
  AddRescaled f;
  const auto multiplier = [this] { return r_.i32_in("a multiplier", 0, INT32_MAX); };
  const auto shift = [this] { return static_cast<int32_t>(r_.u32_in("a shift", 1, 62)); };
  f.left_shift = static_cast<int32_t>(r_.u32_in("leftShift", 0, 30));
  f.multiplier_a = multiplier();
  f.shift_a = shift();
  f.multiplier_b = multiplier();
  f.shift_b = shift();
  f.multiplier_out = multiplier();
  f.shift_out = shift();
  f.rule = r_.enumeration<Rule>("a rule", rule_count);
  // Rescaling is monotone, so the extreme codes give the extreme sums.
  const Centred a = centred(in(0)), b = centred(in(1));
  check_rescaled_sum(f, a.least, b.least);
  check_rescaled_sum(f, a.greatest, b.greatest);
  return f;
}

void Loader::check_rescaled_sum(const AddRescaled& f, int64_t a, int64_t b) const {
  a *= int64_t{1} << f.left_shift;
  b *= int64_t{1} << f.left_shift;
  require(fits32(a) && fits32(b), "a shifted operand leaves 32 bits");
  const Int128 scaled_a = apply_fixed(a, f.multiplier_a, f.shift_a, f.rule);
  const Int128 scaled_b = apply_fixed(b, f.multiplier_b, f.shift_b, f.rule);
  require(fits32(scaled_a) && fits32(scaled_b) && fits32(scaled_a + scaled_b),
          "the sum of the rescaled operands leaves 32 bits");
}

AddAligned Loader::read_aligned() {
  AddAligned f;
  f.multiplier_a = r_.i32_in("a multiplier", 0, INT32_MAX);
  f.multiplier_b = r_.i32_in("a multiplier", 0, INT32_MAX);
  f.shift = static_cast<int32_t>(r_.u32_in("a shift", 0, 62));
  f.rule = r_.enumeration<Rule>("a rule", plain_rule_count);
  return f;
}

AddF32 Loader::read_f32_add() {
  AddF32 f;
  f.order = r_.enumeration<AddOrder>("an order", 3);
  f.scale_a = moderate_scale("scaleA");
  f.scale_b = moderate_scale("scaleB");
  f.scale_out = moderate_scale("scaleOut");
  return f;
}

AddRequant Loader::read_requant_add() {
  AddRequant f;
  f.multiplier_a = r_.i32_in("a multiplier", 0, INT32_MAX);
  f.multiplier_b = r_.i32_in("a multiplier", 0, INT32_MAX);
  f.requant = read_requant(1, false);
  require(f.requant.kind != RequantKind::none, "its sum must be requantized");
  const Centred a = centred(in(0)), b = centred(in(1));
  const Interval sum{a.least * f.multiplier_a + b.least * f.multiplier_b,
                     a.greatest * f.multiplier_a + b.greatest * f.multiplier_b};
  require(fits32(sum.least) && fits32(sum.greatest), "the weighted sum leaves 32 bits");
  check_stages_alike(f.requant, 1, sum);
  return f;
}

AddTables Loader::read_table_add() {
  AddTables f{r_.array<int32_t>("the first table"), r_.array<int32_t>("the second table"), {}};
  require(is_8_bit(in(0).type) && is_8_bit(in(1).type), "its inputs must have 8 bits");
  require(f.table_a.size() == 256 && f.table_b.size() == 256, "its tables must have 256 entries");
  f.requant = read_requant(1, false);
  require(f.requant.kind != RequantKind::none, "its sum must be requantized");
  const auto [least_a, greatest_a] = std::minmax_element(f.table_a.begin(), f.table_a.end());
  const auto [least_b, greatest_b] = std::minmax_element(f.table_b.begin(), f.table_b.end());
  const Interval sum{int64_t{*least_a} + *least_b, int64_t{*greatest_a} + *greatest_b};
  require(fits32(sum.least) && fits32(sum.greatest), "a sum of entries leaves 32 bits");
  check_stages_alike(f.requant, 1, sum);
  return f;
}

Body Loader::read_mul() {
  Mul mul;
  const Tensor &a = in(0), &b = in(1);
  require_output_like(a);
  const bool same = b.height == a.height && b.width == a.width;
  require(b.channels == a.channels && (same || (b.height == 1 && b.width == 1)),
          "its second input must be like the first or 1 x 1 x channels");
  mul.repeat_b = !same;
  const Centred x = centred(a), y = centred(b);
  const auto [least, greatest] = std::minmax(
      {x.least * y.least, x.least * y.greatest, x.greatest * y.least, x.greatest * y.greatest});
  require(fits32(least) && fits32(greatest), "a product leaves 32 bits");
  const auto channels = static_cast<size_t>(out_->channels);
  mul.requant = read_requant(channels, false);
  check_stages_alike(mul.requant, channels, {least, greatest});
  mul.clamp = read_clamp();
  return mul;
}

}  // namespace lastbit::program
