// SPDX-License-Identifier: Apache-2.0
#include "kernels/requant/ladder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "numeric/saturate.h"

namespace lastbit {
namespace {

// A line through the steps: with `pitch` accumulators a step, step j, reached first at t[j], needs
// (j + 1) * pitch - t[j] <= r < (j + 1) * pitch - (t[j] - 1) for the line's offset r. So a pitch
// serves if these differences span less than 1. The span is convex in the pitch; the two steps at
// its ends say on which side better ones lie.
std::optional<double> find_pitch(const int64_t* t, size_t steps) {
  const auto last = static_cast<double>(steps - 1);
  const auto distance = static_cast<double>(t[steps - 1] - t[0]);
  double least = std::max(0.0, (distance - 1) / last), greatest = (distance + 1) / last;
  for (int tries = 0; tries < 64 && least < greatest; ++tries) {
    const double pitch = (least + greatest) / 2;
    size_t low = 0, high = 0;
    double lowest = std::numeric_limits<double>::infinity(), highest = -lowest;
    for (size_t j = 0; j < steps; ++j) {
      const double d = static_cast<double>(j) * pitch - static_cast<double>(t[j]);
      if (d < lowest) low = j, lowest = d;
      if (d > highest) high = j, highest = d;
    }
    if (highest - lowest < 1 - 1e-6) return pitch;
    const double limit = (static_cast<double>(t[high] - t[low]) + 1) /
                         (static_cast<double>(high) - static_cast<double>(low));
    if (high > low) {
      greatest = std::min(pitch, limit);
    } else {
      least = std::max(pitch, limit);
    }
  }
  return std::nullopt;
}

// Offsets r * 2^shift with which every step is where it should be: [most of A, least of A + m) with
// A[j] = ((j + 1) << shift) - t[j] * m.
bool fit_addend(const int64_t* t, Ladder* ladder) {
  const Int128 m = ladder->multiplier;
  Int128 most = 0, least = 0;
  for (int64_t j = 0; j < ladder->steps; ++j) {
    const Int128 a = (Int128{j + 1} << ladder->shift) - t[j] * m;
    most = j == 0 ? a : std::max(most, a);
    least = j == 0 ? a : std::min(least, a);
  }
  ladder->addend = static_cast<int64_t>(most);
  return most < least + m && most < (Int128{1} << 61) && most > -(Int128{1} << 61);
}

}  // namespace

std::optional<Ladder> fit_ladder(const int64_t* t, size_t count, bool strict,
                                 const program::Range& range) {
  // x > t is x >= t + 1. Thresholds outside of the range are reached always or never.
  const int64_t more = strict ? 1 : 0;
  const int64_t* first = std::upper_bound(t, t + count, range.min - more);
  const int64_t* last = std::upper_bound(first, t + count, range.max - more);
  Ladder ladder;
  ladder.below = first - t;
  ladder.steps = last - first;
  if (ladder.steps == 0) return ladder;
  std::vector<int64_t> steps(first, last);
  for (int64_t& v : steps) v += more;
  double pitch = 4;  // of a single step: any
  if (ladder.steps > 1) {
    const auto found = find_pitch(steps.data(), steps.size());
    if (!found) return std::nullopt;
    pitch = *found;
  }
  // A multiplier of 31 bits is the most exact one.
  if (pitch < 2.5) return std::nullopt;
  ladder.shift = std::clamp(30 + std::ilogb(pitch), 32, 52);
  ladder.multiplier = static_cast<int32_t>(std::lround(std::ldexp(1 / pitch, ladder.shift)));
  const Int128 reach = Int128{std::max(-range.min, range.max)} * ladder.multiplier;
  if (reach >= (Int128{1} << 61) || !fit_addend(steps.data(), &ladder)) return std::nullopt;
  return ladder;
}

}  // namespace lastbit
