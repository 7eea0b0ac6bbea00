// SPDX-License-Identifier: Apache-2.0
// The rules of numeric/ against definitions that are written another way: quotient and remainder
// for the plain ones, the two roundings themselves for the merged ones, long double and bit
// patterns for float32.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "numeric/gemmlowp.h"
#include "numeric/requant.h"
#include "numeric/round.h"
#include "numeric/saturate.h"

namespace lastbit {
namespace {

#define LASTBIT_RULE(name) Rule::name,
constexpr Rule plain_rules[] = {LASTBIT_PLAIN_RULES(LASTBIT_RULE)};
#undef LASTBIT_RULE

// p / 2^s by floor and remainder: what each rule says in words.
Int128 defined(Int128 p, int s, Rule rule) {
  const Int128 unit = Int128{1} << s;
  Int128 down = p / unit;
  if (down * unit > p) --down;
  const Int128 rest = p - down * unit;  // [0, unit)
  const bool above = 2 * rest > unit, tie = 2 * rest == unit;
  const bool down_is_odd = down % 2 != 0;
  switch (rule) {
    case Rule::floor:
      return down;
    case Rule::ceil:
      return rest != 0 ? down + 1 : down;
    case Rule::trunc0:
      return rest != 0 && p < 0 ? down + 1 : down;
    case Rule::half_up:
      return above || tie ? down + 1 : down;
    case Rule::half_down:
      return above ? down + 1 : down;
    case Rule::half_away:
      return above || (tie && p > 0) ? down + 1 : down;
    case Rule::half_to_zero:
      return above || (tie && p < 0) ? down + 1 : down;
    case Rule::half_even:
      return above || (tie && down_is_odd) ? down + 1 : down;
    default:
      return above || (tie && !down_is_odd) ? down + 1 : down;  // half_odd
  }
}

// Values around multiples of half a unit, extremes, and noise.
std::vector<int64_t> values_for(int s, int64_t greatest, std::mt19937_64& random) {
  std::vector<int64_t> values{0, 1, -1, greatest, -greatest, greatest - 1, 1 - greatest};
  const int64_t half = int64_t{1} << (s - 1);
  for (int64_t k = -9; k <= 9; ++k) {
    for (int64_t d = -1; d <= 1; ++d) {
      const Int128 v = Int128{half} * k + d;
      if (v >= -greatest && v <= greatest) values.push_back(static_cast<int64_t>(v));
    }
  }
  for (int i = 0; i < 50; ++i) {
    const int drop = static_cast<int>(random() % 62);
    values.push_back(static_cast<int64_t>(random()) % (greatest >> drop | 1));
  }
  return values;
}

TEST(Round, PlainRulesAreTheirDefinitions) {
  std::mt19937_64 random(1);
  for (int s = 1; s <= 62; ++s) {
    for (const int64_t p : values_for(s, int64_t{1} << 62, random)) {
      for (const Rule rule : plain_rules) {
        ASSERT_EQ(round_shift<int64_t>(p, s, rule), static_cast<int64_t>(defined(p, s, rule)))
            << p << " >> " << s << " rule " << static_cast<int>(rule);
      }
    }
  }
}

std::vector<int32_t> accumulators(std::mt19937_64& random) {
  std::vector<int32_t> values{
      0, 1, -1, 2, -2, 3, -3, INT32_MAX, INT32_MIN, INT32_MAX - 1, INT32_MIN + 1};
  for (int i = 0; i < 60; ++i) {
    values.push_back(static_cast<int32_t>(random()) >> (random() % 31));
  }
  return values;
}

const std::vector<int32_t>& multipliers() {
  static const std::vector<int32_t> values{0,
                                           1,
                                           2,
                                           3,
                                           1 << 29,
                                           1 << 30,
                                           (1 << 30) + 1,
                                           INT32_MAX,
                                           INT32_MAX - 1,
                                           1518500250,
                                           1234567890,
                                           0x60000000};
  return values;
}

template <Rule rule>
void check_fixed(int32_t acc, int32_t m, int s) {
  const int64_t y = FixedPoint<rule>::apply(acc, m, s);
  ASSERT_EQ(y, static_cast<int64_t>(defined(Int128{acc} * m, s, rule)))
      << acc << " * " << m << " >> " << s << " rule " << static_cast<int>(rule);
  ASSERT_EQ(y, static_cast<int64_t>(apply_fixed(acc, m, s, rule)));
}

TEST(Requant, FixedPointIsTheRoundedProduct) {
  std::mt19937_64 random(2);
  for (const int32_t acc : accumulators(random)) {
    for (const int32_t m : multipliers()) {
      for (int s = 1; s <= 62; ++s) {
#define LASTBIT_RULE(name) check_fixed<Rule::name>(acc, m, s);
        LASTBIT_PLAIN_RULES(LASTBIT_RULE)
#undef LASTBIT_RULE
      }
    }
  }
}

// The two roundings one after the other: a doubling high multiply, then a rounding right shift.
int64_t high_multiply(int32_t acc, int32_t m) {
  return static_cast<int64_t>(defined(Int128{acc} * m, 31, Rule::half_up));
}

TEST(Requant, MergedDoubleRoundingsAreTwoRoundings) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 400; ++i) {
    for (const int32_t acc : accumulators(random)) {
      const int32_t m = i < 12 ? multipliers()[static_cast<size_t>(i)]
                               : static_cast<int32_t>(random() & INT32_MAX);
      const int s = 32 + static_cast<int>(random() % 31);
      const int64_t high = high_multiply(acc, m);
      ASSERT_EQ(Gemmlowp2::apply(acc, m, s),
                static_cast<int64_t>(defined(high, s - 31, Rule::half_away)))
          << acc << " * " << m << " >> " << s;
      ASSERT_EQ(RuyX86::apply(acc, m, s),
                static_cast<int64_t>(defined(high, s - 31, Rule::half_up)))
          << acc << " * " << m << " >> " << s;
    }
  }
}

TEST(Requant, DoubleRoundingsHaveOneRoundingUpTo31) {
  std::mt19937_64 random(4);
  for (const int32_t acc : accumulators(random)) {
    for (const int32_t m : multipliers()) {
      for (int s = 1; s <= 31; ++s) {
        const int64_t once = HalfUp::apply(acc, m, s);
        ASSERT_EQ(Gemmlowp2::apply(acc, m, s), once);
        ASSERT_EQ(RuyX86::apply(acc, m, s), once);
      }
    }
  }
}

TEST(Requant, WideAccumulatorsStayExact) {
  std::mt19937_64 random(5);
  std::vector<int64_t> wide{(int64_t{1} << 62) - 1, -(int64_t{1} << 62), int64_t{1} << 47};
  for (int i = 0; i < 200; ++i)
    wide.push_back(static_cast<int64_t>(random()) >> (2 + random() % 40));
  for (const int64_t acc : wide) {
    for (const int32_t m : multipliers()) {
      for (int s = 1; s <= 62; s += 3) {
        for (const Rule rule : plain_rules) {
          ASSERT_TRUE(apply_fixed(acc, m, s, rule) == defined(Int128{acc} * m, s, rule));
        }
      }
    }
    for (const Rule rule : plain_rules) {
      ASSERT_TRUE(apply_shift(acc, 62, rule) == defined(acc, 62, rule));
      ASSERT_TRUE(apply_shift(acc, 0, rule) == acc);
      ASSERT_TRUE(apply_shift(acc, -31, rule) == Int128{acc} * 2147483648);
    }
  }
}

TEST(RoundToEven, IsTheNearestInteger) {
  std::mt19937 random(6);
  for (int i = 0; i < 2000000; ++i) {
    const uint32_t bits = random();
    float v;
    std::memcpy(&v, &bits, 4);
    if (std::isnan(v)) continue;
    const double exact = std::nearbyint(static_cast<double>(v));  // the default mode: ties to even
    const double limit = 4611686018427387904.0;
    const double expected = exact > limit ? limit : exact < -limit ? -limit : exact;
    ASSERT_EQ(static_cast<double>(round_to_even(v)), expected) << v;
  }
}

TEST(RoundToEven, HoldsAtItsBorders) {
  EXPECT_EQ(round_to_even(0.5f), 0);
  EXPECT_EQ(round_to_even(1.5f), 2);
  EXPECT_EQ(round_to_even(-0.5f), 0);
  EXPECT_EQ(round_to_even(-2.5f), -2);
  EXPECT_EQ(round_to_even(4194303.5f), 4194304);
  EXPECT_EQ(round_to_even(4194304.5f), 4194304);
  EXPECT_EQ(round_to_even(4194305.5f), 4194306);
  EXPECT_EQ(round_to_even(-4194304.5f), -4194304);
  EXPECT_EQ(round_to_even(-4194305.5f), -4194306);
  EXPECT_EQ(round_to_even(8388607.5f), 8388608);
  EXPECT_EQ(round_to_even(HUGE_VALF), int64_t{1} << 62);
  EXPECT_EQ(round_to_even(-HUGE_VALF), -(int64_t{1} << 62));
}

TEST(RoundHalfAway, IsCRound) {
  std::mt19937 random(7);
  for (int i = 0; i < 1000000; ++i) {
    const float v = static_cast<float>(static_cast<int32_t>(random())) /
                    static_cast<float>(1 << (random() % 31));
    ASSERT_EQ(round_half_away(v), std::llround(static_cast<double>(v))) << v;
  }
  EXPECT_EQ(round_half_away(0.49999997f), 0);  // adding 0.5 first would give 1
}

// The definitions in float64, where v + 0.5 is exact for every float32 but the tiny.
TEST(RoundFloat, UpAndBySum) {
  std::mt19937 random(8);
  const double limit = 4611686018427387904.0;
  for (int i = 0; i < 2000000; ++i) {
    const uint32_t bits = random();
    float v;
    std::memcpy(&v, &bits, 4);
    if (std::isnan(v)) continue;
    const double down = std::floor(static_cast<double>(v));
    const double up = static_cast<double>(v) - down < 0.5 ? down : down + 1;
    ASSERT_EQ(static_cast<double>(round_half_up(v)), std::fmin(std::fmax(up, -limit), limit)) << v;
    const double sum = static_cast<double>(v) + 0.5;
    const double by_sum = std::floor(static_cast<double>(static_cast<float>(sum)));
    ASSERT_EQ(static_cast<double>(add_half_floor(v)), std::fmin(std::fmax(by_sum, -limit), limit))
        << v;
  }
  EXPECT_EQ(round_half_up(-2.5f), -2);
  EXPECT_EQ(round_half_up(0.49999997f), 0);
  EXPECT_EQ(add_half_floor(0.49999997f), 1);
  EXPECT_EQ(round_half_up(-0x1p-149f), 0);
  EXPECT_EQ(round_half_up(8388609.0f), 8388609);
  EXPECT_EQ(add_half_floor(8388609.0f), 8388610);
  EXPECT_EQ(round_float(2.5f, FloatRule::half_even), 2);
  EXPECT_EQ(round_float(2.5f, FloatRule::half_away), 3);
  EXPECT_EQ(round_float(-2.5f, FloatRule::half_up), -2);
  EXPECT_EQ(round_float(HUGE_VALF, FloatRule::add_half_floor), int64_t{1} << 62);
  EXPECT_EQ(round_float(-HUGE_VALF, FloatRule::half_up), -(int64_t{1} << 62));
}

TEST(Saturate, WrapsAndClamps) {
  EXPECT_EQ(wrap_to_bits(131071, 17), -1);
  EXPECT_EQ(wrap_to_bits(65536, 17), -65536);
  EXPECT_EQ(wrap_to_bits(-65537, 17), 65535);
  EXPECT_EQ(wrap_to_bits(int64_t{1} << 40, 32), 0);
  EXPECT_TRUE(fits_bits(-32768, 16));
  EXPECT_FALSE(fits_bits(-32769, 16));
  EXPECT_FALSE(fits_bits(32768, 16));
  EXPECT_EQ(saturate16(40000), 32767);
  EXPECT_EQ(saturate16(-40000), -32768);
}

// gemmlowp's header as documented: SRDHM truncates after a signed nudge; the library's own formula,
// restated, not the merged one that numeric/ uses.
int32_t documented_srdhm(int32_t a, int32_t b) {
  if (a == INT32_MIN && b == INT32_MIN) return INT32_MAX;
  const int64_t product = int64_t{a} * b;
  const int64_t nudge = product >= 0 ? (1 << 30) : 1 - (1 << 30);
  return static_cast<int32_t>((product + nudge) / (int64_t{1} << 31));
}

TEST(Gemmlowp, HighMultiplyIsTheDocumentedOne) {
  std::mt19937 random(8);
  for (int i = 0; i < 1000000; ++i) {
    const auto a = static_cast<int32_t>(random()), b = static_cast<int32_t>(random());
    ASSERT_EQ(gemmlowp::srdhm(a, b), documented_srdhm(a, b)) << a << ' ' << b;
  }
  for (const int32_t a : {INT32_MIN, INT32_MAX, 0, 1, -1}) {
    for (const int32_t b : {INT32_MIN, INT32_MAX, 1 << 30, -(1 << 30)}) {
      ASSERT_EQ(gemmlowp::srdhm(a, b), documented_srdhm(a, b)) << a << ' ' << b;
    }
  }
}

TEST(Gemmlowp, ExpAndReciprocalApproximateTheRealFunctions) {
  // The series around -1/8 ends after the fourth power: at a quarter's ends the next term is
  // exp(-1/8) * (1/8)^5 / 120 = 2.24e-7.
  for (int32_t i = 0; i <= 31 * 64; ++i) {
    const int32_t a = -i * (1 << 20);  // Q5.26: steps of 1/64
    const double real = std::exp(a / 67108864.0);
    EXPECT_NEAR(gemmlowp::exp_on_negative_values(a) / 2147483648.0, real, 2.3e-7) << a;
  }
  for (int32_t i = 0; i < 1000; ++i) {
    const int32_t a = i * 2147483;
    const double real = 1 / (1 + a / 2147483648.0);
    EXPECT_NEAR(gemmlowp::one_over_one_plus_x(a) / 2147483648.0, real, 1e-7) << a;
  }
}

}  // namespace
// Some of test/golden/gemmlowp/fixed-point.json, which gemmlowp itself computed: odd arguments,
// whose half sum rounds, and arguments of every size.
TEST(Gemmlowp, ReciprocalIsGemmlowpsToTheBit) {
  constexpr int32_t pairs[][2] = {{1467331717, 1275773606}, {1051335129, 1441684050},
                                  {1841043537, 1156237828}, {163764177, 1995323034},
                                  {2111423067, 1082833298}, {506969141, 1737339624},
                                  {1645016703, 1216001478}, {1272798991, 1348334778}};
  for (const auto& [a, reciprocal] : pairs) {
    EXPECT_EQ(gemmlowp::one_over_one_plus_x(a), reciprocal) << a;
  }
}

}  // namespace lastbit
