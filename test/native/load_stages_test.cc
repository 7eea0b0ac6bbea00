// SPDX-License-Identifier: Apache-2.0
// What the loader says of every field of `stages` and `f32Rule`, and where it draws the line of
// 2^62.
#include <gtest/gtest.h>

#include "native/program_bytes.h"
#include "program/load.h"

namespace lastbit::test {
namespace {

constexpr int64_t limit = int64_t{1} << 62;

// Six channels whose accumulators lie within +-(100 + 18 * 3 * 245).
constexpr int64_t bound = 100 + 18 * 3 * 245;

std::string refusal(const std::vector<Bytes>& stages, uint32_t count_more = 0) {
  ConvSpec spec;
  spec.requant.kind = 4;
  spec.requant.stages = stages;
  spec.requant.stage_count_more = count_more;
  const std::vector<uint8_t> bytes = spec.program().encode();
  const program::LoadResult result = program::load(bytes.data(), bytes.size());
  EXPECT_LE(result.offset, bytes.size());
  return result.ok ? "" : result.message;
}

void expect_refused(const char* words, const Bytes& stage) {
  const std::string message = refusal({stage});
  EXPECT_NE(message.find(words), std::string::npos)
      << "expected \"" << words << "\" in \"" << message << "\"";
}

Bytes segments(void (*change)(SegmentsSpec&)) {
  SegmentsSpec spec;
  change(spec);
  return spec.bytes();
}

TEST(LoadStages, ReadsWhatWasWritten) {
  ConvSpec spec;
  spec.requant.kind = 4;
  spec.requant.stages = {stage_add({-limit / 4}),
                         stage_multiply({1, -1, 1, -1, 1, -1}),
                         stage_shift({-1}, 7),
                         stage_saturate(40),
                         stage_clamp({-9}, {1, 2, 3, 4, 5, 6}),
                         SegmentsSpec().bytes(),
                         stage_thresholds(2, {3, 3}, 1)};
  const std::vector<uint8_t> bytes = spec.program().encode();
  const program::LoadResult result = program::load(bytes.data(), bytes.size());
  ASSERT_TRUE(result.ok) << result.message;
  const auto& conv = std::get<program::Conv>(result.program.ops[0].body);
  ASSERT_EQ(conv.requant.stages.size(), 7u);
  EXPECT_EQ(std::get<program::StageAdd>(conv.requant.stages[0]).value[0], -limit / 4);
  EXPECT_EQ(std::get<program::StageMultiply>(conv.requant.stages[1]).factor[3], -1);
  EXPECT_EQ(std::get<program::StageShift>(conv.requant.stages[2]).rule, Rule::half_even);
  EXPECT_EQ(std::get<program::StageSaturate>(conv.requant.stages[3]).bits, 40);
  EXPECT_EQ(std::get<program::StageClamp>(conv.requant.stages[4]).hi[5], 6);
  EXPECT_EQ(std::get<program::StageSegments>(conv.requant.stages[5]).offset[1], 5);
  EXPECT_TRUE(std::get<program::StageThresholds>(conv.requant.stages[6]).strict);
}

TEST(LoadStages, RefusesCounts) {
  EXPECT_NE(refusal({}).find("number of stages must be in [1, 16], got 0"), std::string::npos);
  const std::vector<Bytes> many(17, stage_saturate(40));
  EXPECT_NE(refusal(many).find("got 17"), std::string::npos);
  EXPECT_EQ(refusal(std::vector<Bytes>(16, stage_saturate(40))), "");
  EXPECT_NE(refusal({stage_saturate(40)}, 1), "");
  EXPECT_NE(refusal({stage_saturate(40)}, UINT32_MAX).find("number of stages"), std::string::npos);
}

TEST(LoadStages, RefusesConstants) {
  expect_refused("stage must be in [0, 6], got 7", Bytes().u32(7).u32(0));
  expect_refused("stage addends must have 1 or 6 entries", stage_add({1, 2}));
  expect_refused("stage addends must have 1 or 6 entries", stage_add({}));
  expect_refused("stage addends claims", Bytes().u32(0).u32(UINT32_MAX));
  expect_refused("stage addends claims", Bytes().u32(0).u32(1 << 29));  // 2^32 bytes
  expect_refused("stage addend must be in", stage_add({limit + 1}));
  expect_refused("stage addend must be in", stage_add({INT64_MIN}));
  expect_refused("stage factors must have", stage_multiply({1, 1, 1}));
  expect_refused("rule must be in [0, 8]", stage_shift({1}, 9));
  expect_refused("stage shifts must have", stage_shift({}));
  expect_refused("stage shift must be in [-31, 62]", stage_shift({63}));
  expect_refused("stage shift must be in [-31, 62]", stage_shift({-32}));
  expect_refused("saturation bits must be in [2, 62]", stage_saturate(1));
  expect_refused("saturation bits must be in [2, 62]", stage_saturate(63));
  expect_refused("lower stage bounds must have", stage_clamp({1, 2}, {3}));
  expect_refused("upper stage bounds must have", stage_clamp({1}, {}));
  expect_refused("lower stage bound must be in", stage_clamp({-limit - 1}, {0}));
  expect_refused("upper stage bound must be in", stage_clamp({0}, {limit + 1}));
  expect_refused("above its upper", stage_clamp({1, 1, 1, 1, 1, 3}, {2}));
}

TEST(LoadStages, RefusesSegments) {
  expect_refused("1 to 64 segments, there are 0", segments([](SegmentsSpec& s) { s.start = {}; }));
  const Bytes many = segments([](SegmentsSpec& s) {
    s.start.clear();
    for (int64_t i = 0; i < 65; ++i) s.start.push_back(i);
    s.multiplier.assign(65, 0);
    s.shift.assign(65, 0);
    s.offset.assign(65, 0);
  });
  expect_refused("there are 65", many);
  expect_refused("rule must be in [0, 8]", segments([](SegmentsSpec& s) { s.rule = 10; }));
  expect_refused("must ascend", segments([](SegmentsSpec& s) { s.start = {10, 10}; }));
  expect_refused("must ascend", segments([](SegmentsSpec& s) { s.start = {10, 9}; }));
  const char* each = "one multiplier, shift and offset";
  expect_refused(each, segments([](SegmentsSpec& s) { s.multiplier = {1}; }));
  expect_refused(each, segments([](SegmentsSpec& s) { s.shift = {1, 1, 1}; }));
  expect_refused(each, segments([](SegmentsSpec& s) { s.offset = {}; }));
  expect_refused("shift must be in [0, 62]", segments([](SegmentsSpec& s) { s.shift = {63, 0}; }));
  expect_refused("start must be in", segments([](SegmentsSpec& s) { s.start = {0, INT64_MAX}; }));
  expect_refused("offset must be in", segments([](SegmentsSpec& s) { s.offset = {INT64_MIN, 0}; }));
}

TEST(LoadStages, RefusesThresholds) {
  expect_refused("number of thresholds must be in [1, 65535], got 0", stage_thresholds(0, {}));
  expect_refused("got 65536", stage_thresholds(65536, {}));
  expect_refused("strict must be in [0, 1]", stage_thresholds(1, {1}, 2));
  expect_refused("for all channels or for each", stage_thresholds(2, {1, 2, 3}));
  expect_refused("for all channels or for each", stage_thresholds(4, {}));
  expect_refused("must ascend", stage_thresholds(2, {2, 1}));
  expect_refused("must ascend", stage_thresholds(2, {1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 2, 1}));
  EXPECT_EQ(refusal({stage_thresholds(2, {1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 1})}), "");
  expect_refused("threshold must be in", stage_thresholds(1, {INT64_MAX}));
}

TEST(LoadStages, DrawsTheLineAt2To62) {
  const auto leaves = [](const std::vector<Bytes>& stages) {
    return refusal(stages).find("a value may leave 2^62") != std::string::npos;
  };
  EXPECT_EQ(refusal({stage_add({limit - bound})}), "");
  EXPECT_TRUE(leaves({stage_add({limit - bound + 1})}));
  EXPECT_EQ(refusal({stage_add({bound - limit})}), "");
  EXPECT_TRUE(leaves({stage_add({bound - limit - 1})}));
  // 2^31 * 2^31 reaches the limit, the same once more leaves it; a negative factor swaps the ends.
  const Bytes wide = stage_clamp({INT32_MIN}, {INT32_MAX});
  const Bytes most = stage_multiply({INT32_MIN});
  EXPECT_EQ(refusal({stage_shift({-31}), wide, most}), "");
  EXPECT_TRUE(leaves({stage_shift({-31}), wide, most, stage_multiply({-2})}));
  EXPECT_TRUE(leaves({stage_shift({-31}), stage_shift({-31})}));
  // Only the segments that the values meet count: those here do not go beyond the bound.
  const Bytes far = segments([](SegmentsSpec& s) {
    s.start = {0, bound + 1};
    s.multiplier = {1, INT32_MAX};
    s.offset = {0, limit};
  });
  EXPECT_EQ(refusal({far}), "");
  EXPECT_TRUE(leaves({stage_add({2}), far}));
  const Bytes apart = segments([](SegmentsSpec& s) {
    s.start = {limit - bound, limit};
    s.multiplier = {0, 0};
  });
  EXPECT_EQ(refusal({apart}), "");  // v - start reaches -2^62
  EXPECT_TRUE(leaves({stage_add({-1}), apart}));
}

TEST(LoadStages, NarrowAccumulatorsBoundTheirValues) {
  // 2^15 * 2^31 * 2^15 = 2^61; without the 16 bits the accumulators go to +-bound * 2^46.
  ConvSpec spec;
  spec.weights.assign(6 * 9 * 2, 127);
  spec.requant.kind = 4;
  spec.requant.stages = {stage_multiply({INT32_MAX}), stage_multiply({1 << 15})};
  const auto loads = [&spec] {
    const std::vector<uint8_t> bytes = spec.program().encode();
    return program::load(bytes.data(), bytes.size()).ok;
  };
  EXPECT_FALSE(loads());
  spec.accumulator[0] = 16;
  EXPECT_TRUE(loads());
}

TEST(LoadStages, FloatRules) {
  ConvSpec spec;
  spec.requant.kind = 5;
  spec.requant.rule = 2;
  const auto load = [&spec] {
    const std::vector<uint8_t> bytes = spec.program().encode();
    return program::load(bytes.data(), bytes.size());
  };
  EXPECT_EQ(std::get<program::Conv>(load().program.ops[0].body).requant.float_rule,
            FloatRule::half_up);
  spec.requant.rule = 0;  // half to even is what f32 does, and f32 has SIMD
  EXPECT_EQ(std::get<program::Conv>(load().program.ops[0].body).requant.kind,
            program::RequantKind::f32);
  spec.requant.rule = 4;
  EXPECT_NE(load().message.find("rule must be in [0, 3]"), std::string::npos);
  spec.requant.rule = 1;
  spec.requant.scale = {-0.0f};
  EXPECT_NE(load().message.find("scale must be positive"), std::string::npos);
  spec.requant.scale = {1, 1};
  EXPECT_NE(load().message.find("scales must have 1 or 6 entries"), std::string::npos);
}

}  // namespace
}  // namespace lastbit::test
