// SPDX-License-Identifier: Apache-2.0
// Requantizations, clamps and scales; stages are in load_stages.cc.
#include <cmath>

#include "program/loader.h"

namespace lastbit::program {

Requant Loader::read_requant(size_t channels, bool wide_accumulator) {
  Requant q;
  q.kind = r_.enumeration<RequantKind>("a requantization", 7);
  switch (q.kind) {
    case RequantKind::none:
      require(out_->type == CodeType::s32, "without requantization its output must be s32");
      break;
    case RequantKind::fixed:
      q.rule = r_.enumeration<Rule>("a rule", wide_accumulator ? plain_rule_count : rule_count);
      q.multiplier = read_entries<int32_t>("multipliers", channels);
      q.shift = read_small_entries<uint8_t>("shifts", channels);
      require_range(q.multiplier, 0, INT32_MAX, "a multiplier");
      require_range(q.shift, 1, 62, "a shift");
      break;
    case RequantKind::f32_rule:
      q.float_rule = r_.enumeration<FloatRule>("a rule", float_rule_count);
      [[fallthrough]];
    case RequantKind::f32:
      q.scale = read_entries<float>("scales", channels);
      for (const float s : q.scale) Reader::check_scale(op_offset_, "a scale", s);
      if (q.float_rule == FloatRule::half_even) q.kind = RequantKind::f32;
      break;
    case RequantKind::shift:
      q.rule = r_.enumeration<Rule>("a rule", plain_rule_count);
      q.shift = read_small_entries<int8_t>("shifts", channels);
      require_range(q.shift, -31, 62, "a shift");
      break;
    case RequantKind::stages:
      read_stages(q, channels);
      break;
    case RequantKind::f64:
      q.scale64 = read_entries<double>("scales", channels);
      for (const double s : q.scale64) {
        require(s >= 0x1p-64 && s <= 0x1p64, "a scale must be in [2^-64, 2^64]");
      }
      break;
  }
  return q;
}

Clamp Loader::read_clamp(size_t channels) {
  Clamp c{read_entries<int32_t>("lower bounds", channels),
          read_entries<int32_t>("upper bounds", channels)};
  const int32_t least = least_code(out_->type), greatest = greatest_code(out_->type);
  require_range(c.lo, least, greatest, "a lower bound");
  require_range(c.hi, least, greatest, "an upper bound");
  for (size_t i = 0; i < std::max(c.lo.size(), c.hi.size()); ++i) {
    require(of_channel(c.lo, i) <= of_channel(c.hi, i), "a lower bound is above its upper bound");
  }
  return c;
}

float Loader::bounded_scale(const char* what, int exponent) {
  const size_t start = r_.offset();
  const float value = r_.scale(what);
  if (value < std::ldexp(1.0f, -exponent) || value > std::ldexp(1.0f, exponent)) {
    const std::string power = std::to_string(exponent);
    Reader::fail_at(start, op_text_ + what + " must be in [2^-" + power + ", 2^" + power + "]");
  }
  return value;
}

}  // namespace lastbit::program
