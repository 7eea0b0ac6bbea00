// SPDX-License-Identifier: Apache-2.0
// `stages`: their constants, and the proof that no value leaves [-2^62, 2^62].
#include "program/loader.h"
#include "program/stages.h"

namespace lastbit::program {
namespace {

constexpr int64_t limit = int64_t{1} << 62;

// What a stage makes of an interval. False if some sum, product or left shift may leave the limits.
struct After {
  Interval values;
  size_t channel;

  bool set(Int128 a, Int128 b) {
    if (a > b) std::swap(a, b);
    if (a < -limit || b > limit) return false;
    values = {static_cast<int64_t>(a), static_cast<int64_t>(b)};
    return true;
  }

  bool operator()(const StageAdd& stage) {
    const Int128 value = of_channel(stage.value, channel);
    return set(values.least + value, values.greatest + value);
  }
  bool operator()(const StageMultiply& stage) {
    const Int128 factor = of_channel(stage.factor, channel);
    return set(values.least * factor, values.greatest * factor);
  }
  bool operator()(const StageShift& stage) {
    const int32_t s = of_channel(stage.shift, channel);
    if (s > 0) return by_definition(stage);
    const Int128 factor = Int128{1} << -s;
    return set(values.least * factor, values.greatest * factor);
  }
  bool operator()(const StageSegments& stage) {
    const size_t last = segment_of(stage, values.greatest);
    Interval hull{INT64_MAX, INT64_MIN};
    for (size_t k = segment_of(stage, values.least); k <= last; ++k) {
      const bool begins = k > 0 && stage.start[k] > values.least;
      const int64_t ends[] = {begins ? stage.start[k] : values.least,
                              k < last ? stage.start[k + 1] - 1 : values.greatest};
      for (const int64_t v : ends) {
        int64_t y = v;
        if (!on_segment(stage, k, &y)) return false;
        hull = {std::min(hull.least, y), std::max(hull.greatest, y)};
      }
    }
    values = hull;
    return true;
  }
  bool operator()(const StageSaturate& stage) { return by_definition(stage); }
  bool operator()(const StageClamp& stage) { return by_definition(stage); }
  bool operator()(const StageThresholds& stage) { return by_definition(stage); }

 private:
  // Monotone and never beyond the limits: the ends stay the ends.
  template <class Monotone>
  bool by_definition(const Monotone& stage) {
    run_stage(stage, channel, 1, &values.least);
    run_stage(stage, channel, 1, &values.greatest);
    return true;
  }

  static bool within(Int128 v) { return v >= -limit && v <= limit; }

  static bool on_segment(const StageSegments& stage, size_t k, int64_t* v) {
    const Int128 distance = Int128{*v} - stage.start[k];
    const Int128 product = distance * stage.multiplier[k];
    if (!within(distance) || !within(product)) return false;
    const int32_t s = stage.shift[k];
    const Int128 y =
        (s > 0 ? round_shift<Int128>(product, s, stage.rule) : product) + stage.offset[k];
    *v = static_cast<int64_t>(y);
    return within(y);
  }
};

}  // namespace

void Loader::read_stages(Requant& q, size_t channels) {
  const uint32_t count = r_.u32_in("the number of stages", 1, 16);
  for (uint32_t i = 0; i < count; ++i) q.stages.push_back(read_stage(channels));
}

Stage Loader::read_stage(size_t channels) {
  switch (r_.u32_in("a stage", 0, std::variant_size_v<Stage> - 1)) {
    case 0: {
      StageAdd stage{read_entries<int64_t>("stage addends", channels)};
      require_range(stage.value, -limit, limit, "a stage addend");
      return stage;
    }
    case 1:
      return StageMultiply{read_entries<int32_t>("stage factors", channels)};
    case 2: {
      StageShift stage;
      stage.rule = r_.enumeration<Rule>("a rule", plain_rule_count);
      stage.shift = read_small_entries<int8_t>("stage shifts", channels);
      require_range(stage.shift, -31, 62, "a stage shift");
      return stage;
    }
    case 3:
      return StageSaturate{static_cast<int32_t>(r_.u32_in("saturation bits", 2, 62))};
    case 4:
      return read_stage_clamp(channels);
    case 5:
      return read_segments();
    default:
      return read_thresholds(channels);
  }
}

StageClamp Loader::read_stage_clamp(size_t channels) {
  StageClamp stage;
  stage.lo = read_entries<int64_t>("lower stage bounds", channels);
  stage.hi = read_entries<int64_t>("upper stage bounds", channels);
  require_range(stage.lo, -limit, limit, "a lower stage bound");
  require_range(stage.hi, -limit, limit, "an upper stage bound");
  for (size_t c = 0; c < std::max(stage.lo.size(), stage.hi.size()); ++c) {
    require(of_channel(stage.lo, c) <= of_channel(stage.hi, c),
            "a lower stage bound is above its upper bound");
  }
  return stage;
}

StageSegments Loader::read_segments() {
  StageSegments stage;
  stage.rule = r_.enumeration<Rule>("a rule", plain_rule_count);
  stage.start = r_.array<int64_t>("starts of segments");
  const size_t count = stage.start.size();
  if (count < 1 || count > 64) {
    fail("there must be 1 to 64 segments, there are " + std::to_string(count));
  }
  stage.multiplier = r_.array<int32_t>("multipliers of segments");
  const std::vector<uint8_t> shift = r_.array<uint8_t>("shifts of segments");
  stage.shift.assign(shift.begin(), shift.end());
  stage.offset = r_.array<int64_t>("offsets of segments");
  require(stage.multiplier.size() == count && shift.size() == count && stage.offset.size() == count,
          "each segment must have one multiplier, shift and offset");
  require_range(stage.start, -limit, limit, "a segment's start");
  require_range(stage.shift, 0, 62, "a segment's shift");
  require_range(stage.offset, -limit, limit, "a segment's offset");
  for (size_t k = 1; k < count; ++k) {
    require(stage.start[k - 1] < stage.start[k], "starts of segments must ascend");
  }
  return stage;
}

StageThresholds Loader::read_thresholds(size_t channels) {
  StageThresholds stage;
  stage.strict = r_.u32_in("strict", 0, 1) != 0;
  stage.count = r_.u32_in("the number of thresholds", 1, 65535);
  stage.values = r_.array<int64_t>("thresholds");
  require(stage.values.size() == stage.count || stage.values.size() == stage.count * channels,
          "there must be thresholds for all channels or for each");
  require_range(stage.values, -limit, limit, "a threshold");
  for (size_t i = 1; i < stage.values.size(); ++i) {
    require(i % stage.count == 0 || stage.values[i - 1] <= stage.values[i],
            "the thresholds of a channel must ascend");
  }
  return stage;
}

void Loader::check_stages(const Requant& q, size_t channel, const Interval& accumulator) const {
  After after{accumulator, channel};
  for (size_t i = 0; i < q.stages.size(); ++i) {
    if (std::visit(after, q.stages[i])) continue;
    fail("stage " + std::to_string(i) + ", channel " + std::to_string(channel) +
         ": a value may leave 2^62");
  }
}

void Loader::check_stages_alike(const Requant& q, size_t channels,
                                const Interval& accumulator) const {
  if (q.kind != RequantKind::stages) return;
  for (size_t c = 0; c < channels; ++c) check_stages(q, c, accumulator);
}

}  // namespace lastbit::program
