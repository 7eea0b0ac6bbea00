// SPDX-License-Identifier: Apache-2.0
// Form::floor_f32 against the rule's definition, around every step and elsewhere; the vectors'
// float32 operations are done here one by one, roundings included.
#include "kernels/requant/floor_f32.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "numeric/requant.h"

namespace lastbit {
namespace {

// floor(down(f * a + low)): downwards, then floor, is the floor of the exact sum, here in units of
// 2^-80. Both summands are multiples of it: f is an integer, and a and low have no bits below
// 2^-80.
int64_t floor_of_sum(float f, float a, float low) {
  const auto units = [](double x) { return static_cast<Int128>(std::ldexp(x, 80)); };
  return static_cast<int64_t>((units(double{f} * double{a}) + units(low)) >> 80);
}

int32_t vector_code(const ChannelFinish& c, Form form, int32_t acc) {
  const auto x = static_cast<int32_t>(static_cast<uint32_t>(acc) + static_cast<uint32_t>(c.origin));
  const auto f = static_cast<float>(x);
  const bool second = form == Form::floor_f32_signs && x < c.origin;
  const float low = std::fma(f, c.factor[1], c.offset[second ? 1 : 0]);
  const int64_t y = floor_of_sum(f, c.factor[0], low);
  return static_cast<int32_t>(std::clamp<int64_t>(y, c.lo, c.hi));
}

struct Case {
  program::Requant requant;
  program::Tensor output;
  program::Range range;
  int32_t lo, hi;

  int32_t code(int32_t acc) const {
    const int64_t y = static_cast<int64_t>(
        apply_fixed(acc, requant.multiplier[0], requant.shift[0], requant.rule));
    return static_cast<int32_t>(std::clamp<int64_t>(y + output.zero_point, lo, hi));
  }
};

class Random {
 public:
  int64_t between(int64_t least, int64_t most) {
    return std::uniform_int_distribution<int64_t>(least, most)(engine_);
  }

 private:
  std::mt19937_64 engine_{1};
};

// Trained layers' sizes: scales of 2^-4 to 2^-14, multipliers with 31 bits or powers of two.
Case random_case(Random& random) {
  Case c;
  c.requant.kind = program::RequantKind::fixed;
  constexpr Rule rules[] = {Rule::gemmlowp2, Rule::half_up, Rule::floor, Rule::ruyx86,
                            Rule::half_away};
  c.requant.rule = rules[random.between(0, 4)];
  const int64_t half = int64_t{1} << 30;
  c.requant.multiplier = {
      static_cast<int32_t>(random.between(0, 9) == 0 ? half : random.between(half, 2 * half - 1))};
  c.requant.shift = {static_cast<int32_t>(random.between(34, 45))};
  c.output.zero_point =
      static_cast<int32_t>(random.between(0, 2) == 0 ? random.between(0, 255) : 0);
  c.lo = static_cast<int32_t>(random.between(0, 4) == 0 ? random.between(0, 100) : 0);
  c.hi = static_cast<int32_t>(random.between(0, 4) == 0 ? random.between(c.lo, 255) : 255);
  const int64_t reach = random.between(1 << 10, 1 << 26);
  c.range = {-reach, random.between(0, reach)};
  return c;
}

void expect_equal(const Case& c, const ChannelFinish& finish, Form form, int64_t acc) {
  if (acc < c.range.min || acc > c.range.max) return;
  const auto x = static_cast<int32_t>(acc);
  ASSERT_EQ(vector_code(finish, form, x), c.code(x))
      << "acc " << x << " multiplier " << c.requant.multiplier[0] << " shift " << c.requant.shift[0]
      << " rule " << int(c.requant.rule) << " zero point " << c.output.zero_point;
}

// First accumulator of the range with a code of at least `code`.
int64_t first_with(const Case& c, int32_t code) {
  int64_t low = c.range.min, high = c.range.max + 1;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (c.code(static_cast<int32_t>(middle)) >= code) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

TEST(FloorF32, EveryStepIsWhereTheRuleHasIt) {
  Random random;
  int converted = 0, with_signs = 0;
  const int cases = 400;
  for (int i = 0; i < cases; ++i) {
    const Case c = random_case(random);
    Epilogue epilogue = plan_epilogue(c.requant, {c.range}, {{c.lo}, {c.hi}}, c.output);
    if (!to_floor_f32(&epilogue)) continue;
    ++converted;
    with_signs += epilogue.form == Form::floor_f32_signs ? 1 : 0;
    const ChannelFinish& finish = epilogue.channels[0];
    for (int32_t code = c.lo + 1; code <= c.hi; ++code) {
      const int64_t step = first_with(c, code);
      for (int64_t d = -2; d <= 2; ++d) expect_equal(c, finish, epilogue.form, step + d);
    }
    for (int64_t d = -2; d <= 2; ++d) expect_equal(c, finish, epilogue.form, d);
    for (int64_t d = 0; d <= 2; ++d) {
      expect_equal(c, finish, epilogue.form, c.range.min + d);
      expect_equal(c, finish, epilogue.form, c.range.max - d);
    }
    for (int n = 0; n < 200; ++n) {
      expect_equal(c, finish, epilogue.form, random.between(c.range.min, c.range.max));
    }
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(converted, cases * 9 / 10);
  EXPECT_GT(with_signs, 10);
}

// Steps at x = 2^23, 2 * 2^23, ...: those above 2^24 are beyond what float32 tells apart.
TEST(FloorF32, StepsBeyondFloat32AreRefused) {
  float offset;
  EXPECT_TRUE(prove_floor_f32({1 << 30, 0, 53, 0, 2}, 0, 0, &offset));
  EXPECT_FALSE(prove_floor_f32({1 << 30, 0, 53, 0, 3}, 0, 0, &offset));
}

// A multiplier of 2^30 at shift 40 leaves all of a unit of x between a step and the x before it;
// the inner sum's error, 2^-24 of x * rest, uses it up if the rest is large.
TEST(FloorF32, MarginIsMeasuredAgainstTheError) {
  const Steps steps{1 << 30, 0, 40, 0, 255};
  float offset;
  EXPECT_TRUE(prove_floor_f32(steps, 0, 0, &offset));
  EXPECT_TRUE(prove_floor_f32(steps, 0, std::ldexp(1.0f, -12), &offset));
  EXPECT_FALSE(prove_floor_f32(steps, 0, 64.0f, &offset));
}

TEST(FloorF32, AccumulatorsThatWouldLeaveInt32AreRefused) {
  Case c;
  c.requant.kind = program::RequantKind::fixed;
  c.requant.rule = Rule::half_up;
  c.requant.multiplier = {1500000000};
  c.requant.shift = {40};
  c.lo = 0;
  c.hi = 255;
  c.output.zero_point = 128;  // so the origin is above 0
  c.range = {0, INT32_MAX};
  Epilogue epilogue = plan_epilogue(c.requant, {c.range}, {{c.lo}, {c.hi}}, c.output);
  ASSERT_EQ(epilogue.form, Form::affine);
  EXPECT_FALSE(to_floor_f32(&epilogue));
  EXPECT_EQ(epilogue.form, Form::affine);
}

}  // namespace
}  // namespace lastbit
