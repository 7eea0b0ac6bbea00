// SPDX-License-Identifier: Apache-2.0
#include "kernels/requant/lane_steps.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cpu.h"
#include "program/stages.h"

namespace lastbit {
namespace {

using program::of_channel;
using program::Range;
using program::Requant;
using program::RequantKind;

// Values before a shift stay below 2^51 and shifts are at most 52: v + 2^(s-1) and v - 2^s then
// have at most 53 bits. A larger shift gives what 52 gives, since |v / 2^52| < 1/2 is no tie.
constexpr int64_t limit = (int64_t{1} << 51) - 1;
constexpr int32_t greatest_shift = 52;
// Constants are cut to what lies beyond every value: comparisons with them come out alike.
constexpr int64_t beyond = int64_t{1} << 53;
// Thresholds of a lane that are counted one by one rather than searched.
constexpr size_t greatest_count = 32;

// Double roundings have no form on float64.
bool has_lanes(Rule rule) { return static_cast<uint32_t>(rule) < plain_rule_count; }

double power_of_two(int32_t exponent) { return std::ldexp(1.0, exponent); }

double cut(int64_t value) { return static_cast<double>(clamp_to(value, -beyond, beyond)); }

// Builds the steps and carries each lane's interval along, exactly.
class Builder {
 public:
  Builder(const std::vector<Range>& ranges, const std::vector<int32_t>& channels)
      : channels_(channels), values_(channels.size()) {
    for (size_t lane = 0; lane < lanes(); ++lane) {
      if (channels[lane] >= 0) values_[lane] = ranges[channel(lane)];
    }
    check();
  }

  bool exact() const { return exact_; }
  std::vector<LaneStep> take() { return std::move(steps_); }
  size_t lanes() const { return channels_.size(); }
  // Of a lane without a channel: any.
  size_t channel(size_t lane) const {
    return channels_[lane] < 0 ? 0 : static_cast<size_t>(channels_[lane]);
  }

  // One number for each lane.
  template <class Number>
  std::vector<double> each(Number number) const {
    std::vector<double> values(lanes());
    for (size_t lane = 0; lane < lanes(); ++lane) values[lane] = number(channel(lane));
    return values;
  }

  void operator()(const program::StageAdd& stage) {
    push(LaneStep::Kind::add, [&](size_t c) { return cut(of_channel(stage.value, c)); });
    move([&](Int128 v, size_t c) { return v + of_channel(stage.value, c); });
  }
  void operator()(const program::StageMultiply& stage) {
    push(LaneStep::Kind::multiply,
         [&](size_t c) { return double{1} * of_channel(stage.factor, c); });
    move([&](Int128 v, size_t c) { return v * of_channel(stage.factor, c); });
  }
  void operator()(const program::StageShift& stage) { shift(stage.shift, stage.rule); }
  void operator()(const program::StageSaturate& stage) {
    const int64_t least = least_of_bits(stage.bits), greatest = greatest_of_bits(stage.bits);
    clamp([&](size_t) { return least; }, [&](size_t) { return greatest; });
  }
  void operator()(const program::StageClamp& stage) {
    clamp([&](size_t c) { return of_channel(stage.lo, c); },
          [&](size_t c) { return of_channel(stage.hi, c); });
  }
  void operator()(const program::StageSegments& stage);
  void operator()(const program::StageThresholds& stage);

  void shift(const std::vector<int32_t>& shifts, Rule rule) {
    if (!has_lanes(rule)) {
      exact_ = false;
      return;
    }
    const auto of = [&](size_t c) { return std::min(of_channel(shifts, c), greatest_shift); };
    push(LaneStep::Kind::scale, [&](size_t c) { return power_of_two(-of(c)); }).round = rule;
    move([&](Int128 v, size_t c) {
      const int32_t s = of(c);
      return s > 0 ? round_shift<Int128>(v, s, rule) : v * (Int128{1} << -s);
    });
  }

  void float32(const std::vector<float>& scale, FloatRule rule) {
    LaneStep& step = push(LaneStep::Kind::float32, [&](size_t c) { return of_channel(scale, c); });
    step.add_half = rule == FloatRule::add_half_floor;
    constexpr Rule rounds[] = {Rule::half_even, Rule::half_away, Rule::half_up, Rule::floor};
    push(LaneStep::Kind::round, [](size_t) { return 0.0; }).round = rounds[static_cast<int>(rule)];
  }

  void float64(const std::vector<double>& scale) {
    push(LaneStep::Kind::multiply, [&](size_t c) { return of_channel(scale, c); });
    push(LaneStep::Kind::round, [](size_t) { return 0.0; }).round = Rule::half_away;
  }

 private:
  template <class Number>
  LaneStep& push(LaneStep::Kind kind, Number number) {
    LaneStep step;
    step.kind = kind;
    step.a = each(number);
    steps_.push_back(std::move(step));
    return steps_.back();
  }

  template <class Lo, class Hi>
  void clamp(Lo lo, Hi hi) {
    push(LaneStep::Kind::clamp, [&](size_t c) { return cut(lo(c)); }).b =
        each([&](size_t c) { return cut(hi(c)); });
    move([&](Int128 v, size_t c) { return clamp_to<Int128>(v, lo(c), hi(c)); });
  }

  // f is monotone in either direction.
  template <class F>
  void move(F f) {
    for (size_t lane = 0; lane < lanes(); ++lane) {
      const Int128 a = f(values_[lane].min, channel(lane)), b = f(values_[lane].max, channel(lane));
      if (!within(a) || !within(b)) {
        exact_ = false;
        return;
      }
      values_[lane] = {static_cast<int64_t>(std::min(a, b)), static_cast<int64_t>(std::max(a, b))};
    }
  }
  void check() {
    move([](Int128 v, size_t) { return v; });
  }
  static bool within(Int128 v) { return v >= -limit && v <= limit; }

  bool segments_of(const program::StageSegments& stage, const Range& values, Range* hull) const;

  const std::vector<int32_t>& channels_;
  std::vector<Range> values_;
  std::vector<LaneStep> steps_;
  bool exact_ = true;
};

// What a lane's values become; false if a product may leave the limits.
bool Builder::segments_of(const program::StageSegments& stage, const Range& values,
                          Range* hull) const {
  const size_t last = segment_of(stage, values.max);
  *hull = {INT64_MAX, INT64_MIN};
  for (size_t k = segment_of(stage, values.min); k <= last; ++k) {
    const bool begins = k > 0 && stage.start[k] > values.min;
    const int64_t ends[] = {begins ? stage.start[k] : values.min,
                            k < last ? stage.start[k + 1] - 1 : values.max};
    for (const int64_t v : ends) {
      const Int128 product = (Int128{v} - stage.start[k]) * stage.multiplier[k];
      if (!within(product) || (stage.multiplier[k] != 0 && !within(stage.start[k]))) return false;
      const int32_t s = std::min(stage.shift[k], greatest_shift);
      const Int128 y =
          (s > 0 ? round_shift<Int128>(product, s, stage.rule) : product) + stage.offset[k];
      if (!within(y)) return false;
      *hull = {std::min(hull->min, static_cast<int64_t>(y)),
               std::max(hull->max, static_cast<int64_t>(y))};
    }
  }
  return true;
}

// Segments that no lane reaches are left out: a lane below the first that is kept stays in it.
void Builder::operator()(const program::StageSegments& stage) {
  size_t first = stage.start.size() - 1, last = 0;
  for (Range& values : values_) {
    first = std::min(first, segment_of(stage, values.min));
    last = std::max(last, segment_of(stage, values.max));
    Range hull;
    exact_ = exact_ && has_lanes(stage.rule) && segments_of(stage, values, &hull);
    if (!exact_) return;
    values = hull;
  }
  LaneStep step;
  step.kind = LaneStep::Kind::segments;
  step.round = stage.rule;
  step.count = last - first + 1;
  for (size_t k = first; k <= last; ++k) {
    // Shifting by a power of two commutes with the product: one factor does both.
    const double scale = power_of_two(-std::min(stage.shift[k], greatest_shift));
    step.a.push_back(cut(stage.start[k]));
    step.b.push_back(stage.multiplier[k] * scale);
    step.c.push_back(cut(stage.offset[k]));
  }
  steps_.push_back(std::move(step));
}

void Builder::operator()(const program::StageThresholds& stage) {
  const bool shared = stage.values.size() == stage.count;
  // v > t is v >= t + 1.
  const auto threshold = [&](size_t c, size_t i) {
    const int64_t t = stage.values[(shared ? 0 : c * stage.count) + i];
    return cut(clamp_to(t, -beyond, beyond - 1) + (stage.strict ? 1 : 0));
  };
  LaneStep step;
  step.kind = LaneStep::Kind::count;
  step.count = stage.count;
  if (stage.count <= greatest_count) {
    step.a.resize(stage.count * lanes());
    for (size_t i = 0; i < stage.count; ++i) {
      for (size_t lane = 0; lane < lanes(); ++lane) {
        step.a[i * lanes() + lane] = threshold(channel(lane), i);
      }
    }
  } else {
    step.kind = LaneStep::Kind::search;
    while (step.count & (step.count + 1)) step.count |= step.count >> 1 | 1;
    step.a.resize(step.count * lanes(), std::numeric_limits<double>::infinity());
    for (size_t lane = 0; lane < lanes(); ++lane) {
      for (size_t i = 0; i < stage.count; ++i) {
        step.a[lane * step.count + i] = threshold(channel(lane), i);
      }
    }
  }
  steps_.push_back(std::move(step));
  for (Range& values : values_) values = {0, static_cast<int64_t>(stage.count)};
}

// x * m / 2^s as a product and a shift; factors of two of m leave the product.
void fixed(const Requant& requant, size_t channels, Builder* builder) {
  program::StageMultiply multiply;
  std::vector<int32_t> shift;
  for (size_t c = 0; c < channels; ++c) {
    int32_t m = of_channel(requant.multiplier, c), s = of_channel(requant.shift, c);
    for (; m != 0 && m % 2 == 0 && s > 1; m /= 2) --s;
    multiply.factor.push_back(m);
    shift.push_back(s);
  }
  (*builder)(multiply);
  builder->shift(shift, requant.rule);
}

}  // namespace

std::optional<LaneSteps> plan_lane_steps(const Requant& requant, const program::Clamp& clamp,
                                         const std::vector<Range>& ranges,
                                         const program::Tensor& output,
                                         const std::vector<int32_t>& channels) {
  Builder builder(ranges, channels);
  switch (requant.kind) {
    case RequantKind::none:
      return std::nullopt;
    case RequantKind::fixed:
      fixed(requant, ranges.size(), &builder);
      break;
    case RequantKind::shift:
      builder.shift(requant.shift, requant.rule);
      break;
    case RequantKind::f32:
    case RequantKind::f32_rule:
      builder.float32(requant.scale,
                      requant.kind == RequantKind::f32 ? FloatRule::half_even : requant.float_rule);
      break;
    case RequantKind::f64:
      builder.float64(requant.scale64);
      break;
    case RequantKind::stages:
      for (const program::Stage& stage : requant.stages) {
        if (builder.exact()) std::visit(builder, stage);
      }
      break;
  }
  if (!builder.exact()) return std::nullopt;
  const int32_t offset = program::stored_offset(output.type);
  LaneSteps result;
  result.lanes = builder.lanes();
  result.steps = builder.take();
  result.zero_point = builder.each([&](size_t) { return double(output.zero_point + offset); });
  result.lo = builder.each([&](size_t c) { return double(of_channel(clamp.lo, c) + offset); });
  result.hi = builder.each([&](size_t c) { return double(of_channel(clamp.hi, c) + offset); });
  return result;
}

const LaneKernel* pick_lane_kernel([[maybe_unused]] uint32_t cpu_flags) {
#define VARIANT(name, needs) \
  if ((cpu_flags & (needs)) == (needs)) return &name;
#include "kernels/requant/lane_variants.inc"
#undef VARIANT
  return nullptr;
}

}  // namespace lastbit
