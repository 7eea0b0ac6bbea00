// SPDX-License-Identifier: Apache-2.0
#include "kernels/staged.h"

#include <algorithm>
#include <cmath>

namespace lastbit::check {
namespace {

Rule plain_rule(Noise& noise) { return static_cast<Rule>(noise.range(0, 8)); }

template <class T, class Make>
std::vector<T> entries(Noise& noise, size_t channels, Make make) {
  std::vector<T> values(noise.chance(30) ? 1 : channels);
  for (T& v : values) v = static_cast<T>(make());
  return values;
}

// v * m / 2^15 for m of 16 bits brings accumulators to 2^11 and less.
void scale(Noise& noise, int32_t exponent, size_t channels, program::Requant* r) {
  const int32_t reach = 1 << std::min(exponent + 6, 28);
  r->stages.push_back(program::StageAdd{
      entries<int64_t>(noise, channels, [&] { return noise.range(-reach, reach) / 4; })});
  r->stages.push_back(program::StageMultiply{entries<int32_t>(noise, channels, [&] {
    return noise.chance(20) ? 1 << 14 : noise.range(-(1 << 15), (1 << 15) - 1);
  })});
  program::StageShift shift;
  shift.rule = plain_rule(noise);
  shift.shift = entries<int32_t>(
      noise, channels, [&] { return std::clamp(exponent + 14 + noise.range(-1, 2), -2, 62); });
  r->stages.push_back(shift);
}

program::StageSegments lines(Noise& noise) {
  program::StageSegments s;
  s.rule = plain_rule(noise);
  int64_t start = noise.range(-200, -50);
  const int32_t count = noise.pick({1, 2, 16, 64});
  for (int32_t k = 0; k < count; ++k) {
    s.start.push_back(start);
    start += noise.range(1, 20);
    s.multiplier.push_back(noise.range(-40, 200));
    s.shift.push_back(noise.range(0, 8));
    s.offset.push_back(noise.range(-128, 127));
  }
  return s;
}

program::StageThresholds thresholds(Noise& noise, int32_t exponent, size_t channels) {
  program::StageThresholds t;
  t.strict = noise.chance(50);
  t.count = static_cast<size_t>(noise.pick({1, 3, 15, 255}));
  const int32_t reach = 1 << std::clamp(exponent + 6, 2, 30);
  const size_t sets = noise.chance(30) ? 1 : channels;
  for (size_t i = 0; i < sets * t.count; ++i) t.values.push_back(noise.range(-reach, reach));
  for (size_t i = 0; i < sets; ++i) {
    const auto begin = t.values.begin() + static_cast<ptrdiff_t>(i * t.count);
    std::sort(begin, begin + static_cast<ptrdiff_t>(t.count));
  }
  return t;
}

// As from a real scale, so evenly spaced up to rounding; now and then one is a step out of line.
program::StageThresholds ladder(Noise& noise, int32_t exponent, size_t channels) {
  program::StageThresholds t;
  t.strict = noise.chance(50);
  t.count = static_cast<size_t>(noise.pick({1, 2, 15, 127, 255, 255, 300}));
  const bool bent = noise.chance(20);
  const size_t sets = noise.chance(30) ? 1 : channels;
  for (size_t i = 0; i < sets; ++i) {
    const double pitch = std::ldexp(1 + noise.range(0, 1000) / 1001.0, exponent);
    const int32_t first = noise.range(-300, 60);
    for (size_t j = 0; j < t.count; ++j) {
      t.values.push_back(static_cast<int64_t>(std::ceil((double(j) + first + 0.5) * pitch)));
    }
    if (!bent) continue;
    int64_t* some = &t.values[i * t.count] + noise.range(0, int32_t(t.count) - 1);
    *some += noise.pick({-1, 1});
    std::sort(&t.values[i * t.count], &t.values[i * t.count] + t.count);
  }
  return t;
}

}  // namespace

program::Requant staged(Noise& noise, int kind, int32_t exponent, size_t channels) {
  program::Requant r;
  r.kind = program::RequantKind::stages;
  if (kind >= 2) {
    r.stages.push_back(kind == 2 ? thresholds(noise, exponent, channels)
                                 : ladder(noise, exponent, channels));
    if (noise.chance(60)) {
      r.stages.push_back(program::StageAdd{
          entries<int64_t>(noise, channels, [&] { return noise.range(-140, 20); })});
    }
    return r;
  }
  scale(noise, exponent, channels, &r);
  if (kind == 1) {
    r.stages.push_back(program::StageClamp{
        entries<int64_t>(noise, channels, [&] { return noise.range(-600, 0); }),
        entries<int64_t>(noise, channels, [&] { return noise.range(0, 600); })});
    r.stages.push_back(lines(noise));
  }
  r.stages.push_back(program::StageSaturate{noise.range(5, 17)});
  return r;
}

}  // namespace lastbit::check
