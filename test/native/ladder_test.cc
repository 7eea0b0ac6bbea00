// SPDX-License-Identifier: Apache-2.0
// Ladders as lines: every accumulator of a range against counting, and what must find no line.
#include "kernels/requant/ladder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace lastbit {
namespace {

std::vector<int64_t> from_scale(double pitch, double first, size_t count) {
  std::vector<int64_t> t(count);
  for (size_t j = 0; j < count; ++j) {
    t[j] = static_cast<int64_t>(std::ceil((static_cast<double>(j) + first) * pitch));
  }
  return t;
}

int64_t counted(const std::vector<int64_t>& t, bool strict, int64_t x) {
  return std::count_if(t.begin(), t.end(), [=](int64_t v) { return strict ? x > v : x >= v; });
}

int64_t by_line(const Ladder& l, int64_t x) {
  const int64_t y = (x * l.multiplier + l.addend) >> l.shift;
  return l.below + std::clamp<int64_t>(y, 0, l.steps);
}

void expect_equal(const std::vector<int64_t>& t, bool strict, const program::Range& range) {
  const auto line = fit_ladder(t.data(), t.size(), strict, range);
  ASSERT_TRUE(line.has_value());
  for (int64_t x = range.min; x <= range.max; ++x) {
    ASSERT_EQ(by_line(*line, x), counted(t, strict, x)) << "x = " << x;
  }
}

TEST(Ladder, LinesOfRealScalesCountAsTheirThresholds) {
  for (const double pitch : {3.0, 7.25, 41.6180339, 33.337}) {
    for (const size_t count : {1, 2, 15, 255}) {
      const auto reach = static_cast<int64_t>(140 * pitch);
      for (const bool strict : {false, true}) {
        expect_equal(from_scale(pitch, -127.5, count), strict, {-reach, reach});
        expect_equal(from_scale(pitch, -20.5, count), strict, {-5, 30});
      }
    }
  }
}

TEST(Ladder, RangesWithoutAStepAreConstant) {
  const std::vector<int64_t> t = {-100, -50, 300};
  const auto line = fit_ladder(t.data(), t.size(), false, {-50, 299});
  ASSERT_TRUE(line.has_value());
  EXPECT_EQ(line->below, 2);
  EXPECT_EQ(line->steps, 0);
}

TEST(Ladder, AStepOutOfLineFindsNone) {
  std::vector<int64_t> t = from_scale(10, 0.5, 100);  // 5, 15, 25 ...
  const program::Range range{-2000, 2000};
  EXPECT_TRUE(fit_ladder(t.data(), t.size(), false, range).has_value());
  t[50] += 2;
  EXPECT_FALSE(fit_ladder(t.data(), t.size(), false, range).has_value());
}

TEST(Ladder, EqualThresholdsFindNone) {
  const std::vector<int64_t> t(8, 17);
  EXPECT_FALSE(fit_ladder(t.data(), t.size(), false, {-100, 100}).has_value());
}

}  // namespace
}  // namespace lastbit
