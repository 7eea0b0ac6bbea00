// SPDX-License-Identifier: Apache-2.0
// From an accumulator to a code, before zero point and clamp: y = (acc * m + R) >> s. Formulas and
// names: src/program/NOTES.md, "Rounding rules" and "Requantization".
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "numeric/round.h"
#include "numeric/saturate.h"

namespace lastbit {

// R for p = acc * m. The two double roundings differ from half_up only where a second rounding
// happens (s > 31). gemmlowp: SRDHM is floor((p + 2^30) / 2^31), and RDBPOT, half away from zero,
// sends ties by the sign of its operand; nested floors merge into one with the addend
// 2^30 + 2^(s-1) for acc >= 0. For acc < 0 RDBPOT's addend is one unit of 2^31 smaller:
// 2^30 + 2^(s-1) - 2^31 = 2^(s-1) - 2^30. ruy's AVX kernels round half up twice.
template <class Int>
constexpr Int fixed_addend(Int acc, Int p, int s, Rule rule) {
  constexpr Int second = Int{1} << 30;
  if (rule == Rule::gemmlowp2 && s > 31) {
    return (Int{1} << (s - 1)) + (acc >= 0 ? second : -second);
  }
  if (rule == Rule::ruyx86 && s > 31) return (Int{1} << (s - 1)) + second;
  return rounding_addend(p, s, rule);
}

// One rule as a type, for kernels that are instantiated per rule. multiplier in [0, 2^31 - 1],
// shift in [1, 62]: |acc * multiplier| < 2^62 and R < 2^62, so int64 holds everything.
template <Rule rule>
struct FixedPoint {
  static constexpr int64_t apply(int32_t acc, int32_t multiplier, int shift) {
    const int64_t p = int64_t{acc} * multiplier;
    return (p + fixed_addend<int64_t>(acc, p, shift, rule)) >> shift;
  }
};

using Ceil = FixedPoint<Rule::ceil>;
using HalfUp = FixedPoint<Rule::half_up>;
using Gemmlowp2 = FixedPoint<Rule::gemmlowp2>;
using RuyX86 = FixedPoint<Rule::ruyx86>;

// -3 * 2^30 / 2^31 = -1.5 is -1 after the first rounding (half up) of either; the second one meets
// the tie -0.5, which gemmlowp sends away from zero and ruy up.
static_assert(Gemmlowp2::apply(-3, 1 << 30, 32) == -1 && RuyX86::apply(-3, 1 << 30, 32) == 0);
static_assert(Gemmlowp2::apply(INT32_MIN, INT32_MAX, 62) == -1);
static_assert(Ceil::apply(INT32_MAX, INT32_MAX, 62) == 1);

// The same for any accumulator, exact at every width: p has up to 95 bits.
constexpr Int128 apply_fixed(int64_t acc, int32_t multiplier, int shift, Rule rule) {
  const Int128 p = Int128{acc} * multiplier;
  return (p + fixed_addend<Int128>(acc, p, shift, rule)) >> shift;
}

// Requantization `shift`: s > 0 rounds, s <= 0 multiplies by 2^-s. shift in [-31, 62].
constexpr Int128 apply_shift(int64_t acc, int shift, Rule rule) {
  if (shift > 0) return round_shift<Int128>(acc, shift, rule);
  return Int128{acc} * (Int128{1} << -shift);
}

// Requantizations `f32` and `f32Rule`: int -> f32, product, integer, each rounded.
inline int64_t apply_f32(int64_t acc, float scale, FloatRule rule = FloatRule::half_even) {
  return round_float(static_cast<float>(acc) * scale, rule);
}

// Requantization `f64`: int -> f64, product, integer half away from zero. A result beyond 2^62 is
// 2^62: zero points and clamps leave nothing of the difference.
inline int64_t apply_f64(int64_t acc, double scale) {
  const double v = std::round(static_cast<double>(acc) * scale);
  return static_cast<int64_t>(std::clamp(v, -0x1p62, 0x1p62));
}

}  // namespace lastbit
