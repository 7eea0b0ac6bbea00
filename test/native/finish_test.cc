// SPDX-License-Identifier: Apache-2.0
#include "kernels/requant/finish.h"

#include <gtest/gtest.h>

#include <variant>
#include <vector>

namespace lastbit {
namespace {

using program::StageThresholds;

// Channel c has thresholds 10 c and 10 c + 5: a part of the channels keeps its own.
TEST(PartOf, KeepsTheThresholdsOfItsChannels) {
  StageThresholds thresholds;
  thresholds.count = 2;
  for (int64_t c = 0; c < 4; ++c) {
    thresholds.values.push_back(10 * c);
    thresholds.values.push_back(10 * c + 5);
  }
  program::Requant whole;
  whole.kind = program::RequantKind::stages;
  whole.stages = {thresholds};
  for (const size_t first : {size_t{0}, size_t{1}, size_t{2}}) {
    const program::Requant part = part_of(whole, first, 2);
    for (size_t c = 0; c < 2; ++c) {
      for (int64_t acc = -3; acc < 40; ++acc) {
        EXPECT_EQ(requantized(part, c, acc), requantized(whole, first + c, acc))
            << "first " << first << ", channel " << c << ", accumulator " << acc;
      }
    }
  }
}

// One set of thresholds serves all channels, whichever part is taken.
TEST(PartOf, SharedThresholdsStay) {
  StageThresholds thresholds;
  thresholds.count = 3;
  thresholds.values = {-1, 4, 9};
  program::Requant whole;
  whole.kind = program::RequantKind::stages;
  whole.stages = {thresholds};
  const program::Requant part = part_of(whole, 5, 2);
  EXPECT_EQ(std::get<StageThresholds>(part.stages[0]).values, thresholds.values);
}

}  // namespace
}  // namespace lastbit
