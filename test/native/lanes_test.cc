// SPDX-License-Identifier: Apache-2.0
#include "solve/lanes.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace lastbit::solve {
namespace {

std::vector<double> random_numbers(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> spread(-3, 3);
  std::vector<double> numbers(count);
  for (double& number : numbers) number = spread(random);
  return numbers;
}

// In the order of k, nothing fused: what every variant has to give, to the last bit.
double row_times_lane(const double* row, const std::vector<double>& block, size_t count,
                      size_t lane, double sum) {
  for (size_t k = 0; k < count; ++k) {
    const double product = row[k] * block[k * lanes + lane];
    sum += product;
  }
  return sum;
}

void expect_definition(const LaneLoops& loops) {
  for (const size_t count : {0, 1, 2, 3, 7, 32, 129}) {
    const size_t stride = count + 5;
    const auto rows = random_numbers(rows_at_once * stride, 1);
    const auto block = random_numbers((count + 1) * lanes, 2);
    const auto start = random_numbers(rows_at_once * lanes, 3);
    auto four = start;
    loops.four_rows(rows.data(), stride, block.data(), count, four.data());
    for (size_t i = 0; i < rows_at_once; ++i) {
      auto one = std::vector<double>(start.begin(), start.begin() + lanes);
      loops.one_row(&rows[i * stride], block.data(), count, one.data());
      for (size_t r = 0; r < lanes; ++r) {
        EXPECT_EQ(four[i * lanes + r],
                  row_times_lane(&rows[i * stride], block, count, r, start[i * lanes + r]));
        EXPECT_EQ(one[r], row_times_lane(&rows[i * stride], block, count, r, start[r]));
      }
    }
    auto moved = block;
    loops.add_outer(rows.data(), start.data(), count, moved.data());
    for (size_t k = 0; k <= count; ++k) {
      for (size_t r = 0; r < lanes; ++r) {
        const double product = k < count ? rows[k] * start[r] : 0;
        EXPECT_EQ(moved[k * lanes + r], block[k * lanes + r] + product);
      }
    }
  }
}

TEST(LaneLoops, ReferenceIsTheDefinition) { expect_definition(lane_loops_ref); }

TEST(LaneLoops, TheChosenOnesAreTheDefinition) { expect_definition(lane_loops()); }

}  // namespace
}  // namespace lastbit::solve
