// SPDX-License-Identifier: Apache-2.0
// Panels of pairs: every weight is there once, and no sum in s16 can saturate.
#include "kernels/gemm/pairs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

namespace lastbit {
namespace {

constexpr size_t channels = pair_channels;

// Source of every operand byte, from the steps as the kernels run them; -1: always 0.
std::vector<int> sources_of(const PairPanel& panel, size_t k) {
  std::vector<int> sources(panel.operand_bytes() + 2 * pair_block, -1);
  if (panel.steps.empty()) {
    for (size_t i = 0; i < panel.operand_bytes(); ++i) sources[i] = i < k ? int(i) : -1;
    sources.resize(panel.operand_bytes());
    return sources;
  }
  size_t at = 0;
  for (const PermuteStep& step : panel.steps) {
    for (size_t i = 0; i < 2 * pair_block; ++i) {
      const bool zero = (step.shuffle[i] & 0x80) != 0;
      sources[at + i] = zero ? -1 : int(step.source[i / pair_block]) + step.shuffle[i];
    }
    at += step.advance;
  }
  EXPECT_EQ(at, panel.operand_bytes());
  sources.resize(panel.operand_bytes());
  return sources;
}

class Checked {
 public:
  Checked(const PairPanel& panel, const std::vector<int16_t>& weights)
      : panel_(panel), weights_(weights), sources_(sources_of(panel, weights.size() / channels)) {}

  void run() {
    left_ = weights_;
    size_t at = 0;
    for (size_t i = 0; i < panel_.doubles; ++i, at += 8) add_double(at);
    for (size_t i = 0; i < panel_.mixed; ++i, at += 16) {
      add_double(at);
      add_single(at + 8);
      add_single(at + 12);
    }
    for (size_t i = 0; i < panel_.singles; ++i, at += 4) add_single(at);
    for (size_t i = 0; i < panel_.wides; ++i, at += 4) add_wide(at);
    EXPECT_EQ(at, panel_.operand_bytes());
    for (const int16_t w : left_) ASSERT_EQ(w, 0) << "a weight is missing or twice there";
  }

 private:
  const uint8_t* weight_at(size_t at, size_t c) const {
    return &panel_.weights[(at / 4 * size_t(panel_.channels) + c) * 4 + at % 4];
  }
  void take(size_t at, size_t c, int w) {
    if (sources_[at] < 0) return;  // the operand is 0, whatever its weight
    left_[size_t(sources_[at]) * channels + c] =
        int16_t(left_[size_t(sources_[at]) * channels + c] - w);
  }
  // Operands that end in one s16.
  void add_in_s16(const std::vector<size_t>& places) {
    for (size_t c = 0; c < size_t(panel_.channels); ++c) {
      int positive = 0, negative = 0;
      for (const size_t at : places) {
        const int w = static_cast<int8_t>(*weight_at(at, c));
        // In place, what follows the last activation is unknown: its weight must be 0.
        if (sources_[at] < 0 && panel_.steps.empty()) {
          ASSERT_EQ(w, 0);
        }
        (w > 0 ? positive : negative) += w;
        take(at, c, w);
      }
      ASSERT_LE(255 * positive, INT16_MAX);
      ASSERT_GE(255 * negative, INT16_MIN);
    }
  }
  void add_double(size_t at) {
    add_in_s16({at, at + 1, at + 4, at + 5});
    add_in_s16({at + 2, at + 3, at + 6, at + 7});
  }
  void add_single(size_t at) {
    add_in_s16({at, at + 1});
    add_in_s16({at + 2, at + 3});
  }
  void add_wide(size_t at) {
    for (const size_t place : {at, at + 2}) {
      ASSERT_EQ(sources_[place + 1], -1) << "the high byte of an s16 operand";
      for (size_t c = 0; c < size_t(panel_.channels); ++c) {
        int16_t w;
        std::memcpy(&w, weight_at(place, c), sizeof w);
        take(place, c, w);
      }
    }
  }

  const PairPanel& panel_;
  const std::vector<int16_t>& weights_;
  std::vector<int> sources_;
  std::vector<int16_t> left_;
};

TEST(Pairs, AnyWeights) {
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    const size_t k = 1 + random() % 70;
    const double reach = (1 + random() % 60);
    const int outliers = round % 3 == 0 ? 50 : 0;
    const int limit = round % 5 == 0 ? 383 : round % 5 == 1 ? 255 : 127;
    std::normal_distribution<double> bell(0, reach);
    std::vector<int16_t> weights(k * channels);
    const size_t width = round % 2 == 0 ? 16 : channels;
    for (size_t i = 0; i < weights.size(); ++i) {
      int16_t& w = weights[i];
      if (i % channels >= width) continue;
      const bool extreme = outliers != 0 && int(random() % 1000) < outliers;
      const double value = extreme ? (random() % 2 == 0 ? -limit - 1 : limit) : bell(random);
      w = static_cast<int16_t>(std::clamp<double>(value, -limit - 1, limit));
    }
    const PairPanel panel = plan_pairs(weights.data(), k, int32_t(width));
    SCOPED_TRACE(testing::Message()
                 << "k " << k << " channels " << width << " reach " << reach << " round " << round);
    Checked(panel, weights).run();
    if (HasFatalFailure()) return;
  }
}

TEST(Pairs, SmallWeightsStayInPlace) {
  const std::vector<int16_t> weights(100 * channels, 32);
  const PairPanel panel = plan_pairs(weights.data(), 100);
  EXPECT_TRUE(panel.steps.empty());
  EXPECT_EQ(panel.doubles, 12u);
  EXPECT_EQ(panel.singles, 1u);
  Checked(panel, weights).run();
}

// One more and a double of four would reach 255 * 132.
TEST(Pairs, FourTimes33AreNoDouble) {
  const std::vector<int16_t> weights(16 * channels, 33);
  const PairPanel panel = plan_pairs(weights.data(), 16);
  EXPECT_EQ(panel.doubles + panel.mixed, 0u);
  EXPECT_EQ(panel.singles, 4u);
  Checked(panel, weights).run();
}

TEST(Pairs, LargeWeightsOfOneSignAreWide) {
  const std::vector<int16_t> weights(16 * channels, -65);
  EXPECT_EQ(plan_pairs(weights.data(), 16).wides, 8u);
  const std::vector<int16_t> legal(16 * channels, -64);
  EXPECT_EQ(plan_pairs(legal.data(), 16).singles, 4u);
}

}  // namespace
}  // namespace lastbit
