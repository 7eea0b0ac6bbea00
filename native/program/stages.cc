// SPDX-License-Identifier: Apache-2.0
#include "program/stages.h"

#include <algorithm>

#include "numeric/round.h"
#include "numeric/saturate.h"

namespace lastbit::program {
namespace {

// An array of one entry is read again and again: its index is masked to 0.
template <class T>
struct Entries {
  const T* data;
  size_t mask;
  Entries(const std::vector<T>& values, size_t first)
      : data(values.size() == 1 ? values.data() : values.data() + first),
        mask(values.size() == 1 ? 0 : ~size_t{0}) {}
  T operator[](size_t i) const { return data[i & mask]; }
};

// The sums and products below stay within [-2^62, 2^62], and so does what is shifted.
int64_t shifted(int64_t v, int32_t s, Rule rule) {
  return s > 0 ? round_shift<int64_t>(v, s, rule) : v * (int64_t{1} << -s);
}

// One loop for each rule, so that no value meets a branch on it.
template <Rule rule>
void shift_by(const Entries<int32_t>& shift, size_t count, int64_t* values) {
  for (size_t i = 0; i < count; ++i) values[i] = shifted(values[i], shift[i], rule);
}

template <class T>
std::vector<T> cut(const std::vector<T>& values, size_t first, size_t count) {
  if (values.size() <= 1) return values;
  const auto begin = values.begin() + static_cast<ptrdiff_t>(first);
  return {begin, begin + static_cast<ptrdiff_t>(count)};
}

Stage part_of(const Stage& stage, size_t first, size_t count) {
  Stage part = stage;
  if (auto* add = std::get_if<StageAdd>(&part)) {
    add->value = cut(add->value, first, count);
  } else if (auto* multiply = std::get_if<StageMultiply>(&part)) {
    multiply->factor = cut(multiply->factor, first, count);
  } else if (auto* shift = std::get_if<StageShift>(&part)) {
    shift->shift = cut(shift->shift, first, count);
  } else if (auto* clamp = std::get_if<StageClamp>(&part)) {
    clamp->lo = cut(clamp->lo, first, count);
    clamp->hi = cut(clamp->hi, first, count);
  } else if (auto* thresholds = std::get_if<StageThresholds>(&part)) {
    if (thresholds->values.size() != thresholds->count) {
      thresholds->values =
          cut(thresholds->values, first * thresholds->count, count * thresholds->count);
    }
  }
  return part;
}

}  // namespace

void run_stage(const StageAdd& stage, size_t first, size_t count, int64_t* values) {
  const Entries<int64_t> value(stage.value, first);
  for (size_t i = 0; i < count; ++i) values[i] += value[i];
}

void run_stage(const StageMultiply& stage, size_t first, size_t count, int64_t* values) {
  const Entries<int32_t> factor(stage.factor, first);
  for (size_t i = 0; i < count; ++i) values[i] *= factor[i];
}

void run_stage(const StageShift& stage, size_t first, size_t count, int64_t* values) {
  const Entries<int32_t> shift(stage.shift, first);
  with_rule(stage.rule, [&](auto rule) { shift_by<decltype(rule)::value>(shift, count, values); });
}

void run_stage(const StageSaturate& stage, size_t, size_t count, int64_t* values) {
  const int64_t least = least_of_bits(stage.bits), greatest = greatest_of_bits(stage.bits);
  for (size_t i = 0; i < count; ++i) values[i] = clamp_to(values[i], least, greatest);
}

void run_stage(const StageClamp& stage, size_t first, size_t count, int64_t* values) {
  const Entries<int64_t> lo(stage.lo, first), hi(stage.hi, first);
  for (size_t i = 0; i < count; ++i) values[i] = clamp_to(values[i], lo[i], hi[i]);
}

void run_stage(const StageSegments& stage, size_t, size_t count, int64_t* values) {
  for (size_t i = 0; i < count; ++i) {
    const size_t k = segment_of(stage, values[i]);
    const int64_t product = (values[i] - stage.start[k]) * stage.multiplier[k];
    values[i] = shifted(product, stage.shift[k], stage.rule) + stage.offset[k];
  }
}

void run_stage(const StageThresholds& stage, size_t first, size_t count, int64_t* values) {
  const bool shared = stage.values.size() == stage.count;
  for (size_t i = 0; i < count; ++i) {
    const int64_t* begin = stage.values.data() + (shared ? 0 : (first + i) * stage.count);
    const int64_t* end = begin + stage.count;
    const int64_t* reached = stage.strict ? std::lower_bound(begin, end, values[i])
                                          : std::upper_bound(begin, end, values[i]);
    values[i] = reached - begin;
  }
}

size_t segment_of(const StageSegments& stage, int64_t v) {
  const auto after = std::upper_bound(stage.start.begin(), stage.start.end(), v);
  return after == stage.start.begin() ? 0 : static_cast<size_t>(after - stage.start.begin()) - 1;
}

void run_stages(const std::vector<Stage>& stages, size_t first, size_t count, int64_t* values) {
  for (const Stage& stage : stages) {
    std::visit([&](const auto& s) { run_stage(s, first, count, values); }, stage);
  }
}

std::vector<Stage> part_of(const std::vector<Stage>& stages, size_t first, size_t count) {
  std::vector<Stage> parts;
  for (const Stage& stage : stages) parts.push_back(part_of(stage, first, count));
  return parts;
}

}  // namespace lastbit::program
