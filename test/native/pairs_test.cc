// SPDX-License-Identifier: Apache-2.0
// Panels of pairs: every weight is there once, and no sum in s16 can saturate.
#include "kernels/gemm/pairs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "cpu.h"
#include "kernels/gemm/gemm.h"

namespace lastbit {
namespace {

constexpr size_t channels = pair_channels;

class Checked {
 public:
  Checked(const PairPanel& panel, const std::vector<int16_t>& weights)
      : panel_(panel), left_(weights), b_(panel.weights.data()) {}

  // Goes through the steps as multiply_pairs.inc does.
  void run() {
    ASSERT_EQ(panel_.weights.size(), panel_.weight_bytes());
    step_ = panel_.steps.data();
    all(PairKind::doubles, [this] { add_double(0), add_double(2); });
    all(PairKind::mixed, [this] { add_double(0), add_single(2), add_single(3); });
    all(PairKind::singles, [this] {
      for (int group = 0; group < 4; ++group) add_single(group);
    });
    all(PairKind::half_doubles, [this] { add_double(0); });
    all(PairKind::half_singles, [this] { add_single(0), add_single(1); });
    all(PairKind::wides, [this] {
      for (int group = 0; group < 4; ++group) add_wide(group);
    });
    EXPECT_EQ(step_, panel_.steps.data() + panel_.steps.size());
    EXPECT_EQ(b_, panel_.weights.data() + panel_.weights.size());
    for (const int16_t w : left_) ASSERT_EQ(w, 0) << "a weight is missing or twice there";
  }

 private:
  template <class Add>
  void all(PairKind kind, Add add) {
    for (size_t n = panel_.counts[int(kind)]; n != 0; --n, ++step_) {
      const auto halves_differ = std::memcmp(step_->order, step_->order + pair_block, pair_block);
      ASSERT_EQ(halves_differ, 0);
      add();
      b_ += pair_groups(kind) * panel_.channels * 4;
    }
  }
  // The activation of an operand, or -1: always 0.
  int source(int operand) const {
    const uint8_t place = step_->order[operand];
    return (place & 0x80) != 0 ? -1 : int(step_->source) + place;
  }
  const uint8_t* weight_at(int operand, size_t c) const {
    return b_ + (size_t(operand / 4) * size_t(panel_.channels) + c) * 4 + operand % 4;
  }
  void take(int operand, size_t c, int w) {
    if (source(operand) < 0) return;  // the operand is 0, whatever its weight
    int16_t& left = left_.at(size_t(source(operand)) * channels + c);
    left = int16_t(left - w);
  }
  // Operands that end in one s16.
  void add_in_s16(const std::vector<int>& operands) {
    for (size_t c = 0; c < size_t(panel_.channels); ++c) {
      int positive = 0, negative = 0;
      for (const int operand : operands) {
        const int w = static_cast<int8_t>(*weight_at(operand, c));
        (w > 0 ? positive : negative) += w;
        take(operand, c, w);
      }
      ASSERT_LE(255 * positive, INT16_MAX);
      ASSERT_GE(255 * negative, INT16_MIN);
    }
  }
  void add_double(int group) {
    const int at = 4 * group;
    add_in_s16({at, at + 1, at + 4, at + 5});
    add_in_s16({at + 2, at + 3, at + 6, at + 7});
  }
  void add_single(int group) {
    add_in_s16({4 * group, 4 * group + 1});
    add_in_s16({4 * group + 2, 4 * group + 3});
  }
  void add_wide(int group) {
    for (const int operand : {4 * group, 4 * group + 2}) {
      ASSERT_EQ(source(operand + 1), -1) << "the high byte of an s16 operand";
      for (size_t c = 0; c < size_t(panel_.channels); ++c) {
        int16_t w;
        std::memcpy(&w, weight_at(operand, c), sizeof w);
        take(operand, c, w);
      }
    }
  }

  const PairPanel& panel_;
  std::vector<int16_t> left_;
  const PairStep* step_ = nullptr;
  const uint8_t* b_;
};

size_t count(const PairPanel& panel, PairKind kind) { return panel.counts[int(kind)]; }

std::vector<const PairSearch*> searches() {
  std::vector<const PairSearch*> all = {&pair_search_ref};
  const GemmKernel* kernel = pick_gemm(cpu::detect());
  if (kernel != nullptr && kernel->pairs != nullptr) all.push_back(kernel->pairs);
  uint32_t avx2 = 0;
  if (cpu::tier_flags("avx2", &avx2) && (avx2 & ~cpu::detect()) == 0) {
    all.push_back(pick_gemm(avx2)->pairs);
  }
  return all;
}

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
    SCOPED_TRACE(testing::Message()
                 << "k " << k << " channels " << width << " reach " << reach << " round " << round);
    const PairPanel panel = plan_pairs(weights.data(), k, int32_t(width));
    Checked(panel, weights).run();
    if (HasFatalFailure()) return;
    for (const PairSearch* search : searches()) {
      const PairPanel other = plan_pairs(weights.data(), k, int32_t(width), *search);
      ASSERT_TRUE(other.weights == panel.weights);
    }
  }
}

TEST(Pairs, TransposedAlike) {
  constexpr size_t stride = 45;
  std::vector<int16_t> from(channels * stride);
  for (size_t i = 0; i < from.size(); ++i) from[i] = int16_t(i);
  int32_t lanes[pair_channels];
  for (int l = 0; l < pair_channels; ++l) lanes[l] = l % 5 == 4 ? -1 : (7 * l) % pair_channels;
  for (const size_t k : {1, 7, 8, 27, 45}) {
    for (const PairSearch* search : searches()) {
      std::vector<int16_t> to(k * channels, -1);
      search->transpose(from.data(), stride, lanes, k, to.data());
      for (size_t i = 0; i < to.size(); ++i) {
        const int32_t lane = lanes[i % channels];
        ASSERT_EQ(to[i], lane < 0 ? 0 : from[size_t(lane) * stride + i / channels]) << i;
      }
    }
  }
}

TEST(Pairs, SmallWeightsStayInPlace) {
  const std::vector<int16_t> weights(100 * channels, 32);
  const PairPanel panel = plan_pairs(weights.data(), 100);
  EXPECT_EQ(count(panel, PairKind::doubles), 6u);
  EXPECT_EQ(count(panel, PairKind::half_doubles), 1u);
  for (int i = 0; i < pair_block; ++i) EXPECT_EQ(panel.steps[0].order[i], i);
  Checked(panel, weights).run();
}

// One more and a double of four would reach 255 * 132.
TEST(Pairs, FourTimes33AreNoDouble) {
  const std::vector<int16_t> weights(16 * channels, 33);
  const PairPanel panel = plan_pairs(weights.data(), 16);
  EXPECT_EQ(panel.steps.size(), 1u);
  EXPECT_EQ(count(panel, PairKind::singles), 1u);
  Checked(panel, weights).run();
}

TEST(Pairs, LargeWeightsOfOneSignAreWide) {
  const std::vector<int16_t> weights(16 * channels, -65);
  EXPECT_EQ(count(plan_pairs(weights.data(), 16), PairKind::wides), 2u);
  const std::vector<int16_t> legal(16 * channels, -64);
  EXPECT_EQ(count(plan_pairs(legal.data(), 16), PairKind::singles), 1u);
}

// Where not all pair, eight operands of pairs and the rest wide.
TEST(Pairs, HalfOfThem) {
  std::vector<int16_t> weights(16 * channels, 66);
  std::fill_n(weights.begin(), 10 * channels, int16_t{63});
  const PairPanel panel = plan_pairs(weights.data(), 16);
  EXPECT_EQ(count(panel, PairKind::half_singles), 1u);
  EXPECT_EQ(count(panel, PairKind::wides), 1u);
  Checked(panel, weights).run();
}

}  // namespace
}  // namespace lastbit
