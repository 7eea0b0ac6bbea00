// SPDX-License-Identifier: Apache-2.0
// gemmlowp's fixed-point functions (fixedpoint/fixedpoint.h), restated: names and constants are
// theirs, the formulas those of src/program/NOTES.md, "Fixed-point functions". Raw int32 values;
// Qm.n has m integer and n fraction bits besides the sign.
#pragma once
#include <cstdint>

#include "numeric/round.h"
#include "numeric/saturate.h"

namespace lastbit::gemmlowp {

constexpr int32_t saturate32(int64_t v) {
  return static_cast<int32_t>(clamp_to<int64_t>(v, INT32_MIN, INT32_MAX));
}

// Saturating rounding doubling high multiply: a * b / 2^31, half up; only min * min saturates.
constexpr int32_t srdhm(int32_t a, int32_t b) {
  return saturate32((int64_t{a} * b + (int64_t{1} << 30)) >> 31);
}

// Rounding divide by 2^k, half away from zero, 0 <= k <= 62.
constexpr int32_t rdbpot(int32_t x, int k) {
  return k == 0 ? x : static_cast<int32_t>(round_shift<int64_t>(x, k, Rule::half_away));
}

// exp(x) for x in [-1/4, 0), Q0.31 -> Q0.31: exp(-1/8) times a Taylor polynomial of x + 1/8.
constexpr int32_t exp_on_last_quarter(int32_t a) {
  constexpr int32_t exp_minus_eighth = 1895147668, third = 715827883;
  const int32_t x = a + (1 << 28);
  const int32_t x2 = srdhm(x, x);
  const int32_t x3 = srdhm(x2, x);
  const int32_t x4 = srdhm(x2, x2);
  const int32_t k = rdbpot(srdhm(rdbpot(x4, 2) + x3, third) + x2, 1);
  return saturate32(int64_t{exp_minus_eighth} + srdhm(exp_minus_eighth, x + k));
}

// exp(a) for a <= 0 in Q5.26, result Q0.31.
constexpr int32_t exp_on_negative_values(int32_t a) {
  if (a == 0) return INT32_MAX;
  constexpr int32_t quarter = 1 << 24;
  // exp(-1/4), exp(-1/2), ... exp(-16)
  constexpr int32_t barrel[] = {1672461947, 1302514674, 790015084, 290630308,
                                39332535,   720401,     242};
  const int32_t r = (a & (quarter - 1)) - quarter;  // in [-1/4, 0)
  int32_t result = exp_on_last_quarter(r * 32);
  const int64_t rest = int64_t{r} - a;
  for (int bit = 0; bit < 7; ++bit) {
    if (((rest >> (24 + bit)) & 1) != 0) result = srdhm(result, barrel[bit]);
  }
  return result;
}

// 1 / (1 + x) for x in [0, 1), Q0.31 -> Q0.31: three Newton steps for 1 / d, d = (1 + x) / 2, from
// the estimate 48/17 - 32/17 d.
constexpr int32_t one_over_one_plus_x(int32_t a) {
  constexpr int32_t forty_eight_17ths = 1515870810, minus_thirty_two_17ths = -1010580540;  // Q2.29
  const auto d = static_cast<int32_t>((int64_t{a} + INT32_MAX + 1) >> 1);
  int32_t x = saturate32(int64_t{forty_eight_17ths} + srdhm(d, minus_thirty_two_17ths));
  for (int step = 0; step < 3; ++step) {
    const int32_t t = (1 << 29) - srdhm(d, x);
    x = saturate32(int64_t{x} + saturate32(int64_t{srdhm(x, t)} * 4));
  }
  return saturate32(int64_t{x} * 2);
}

static_assert(srdhm(INT32_MIN, INT32_MIN) == INT32_MAX);
static_assert(rdbpot(-3, 1) == -2 && rdbpot(3, 1) == 2);

}  // namespace lastbit::gemmlowp
