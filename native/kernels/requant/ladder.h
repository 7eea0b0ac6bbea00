// SPDX-License-Identifier: Apache-2.0
// Thresholds that a multiplication and a shift reproduce: ladders made from a real scale (FINN's)
// are evenly spaced up to rounding, and then finish as fast as a fixed-point multiplier.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>

#include "program/ranges.h"

namespace lastbit {

// For all x of a range: the number of thresholds that x reaches is
// below + min(max((x * multiplier + addend) >> shift, 0), steps).
struct Ladder {
  int32_t multiplier = 0;  // [0, 2^31 - 1]
  int64_t addend = 0;      // |x * multiplier| + |addend| < 2^62
  int32_t shift = 32;      // [32, 52]
  int64_t below = 0;       // thresholds that every x reaches
  int64_t steps = 0;       // those that some x reaches and some does not
};

// Thresholds t[0] <= t[1] <= ... of one channel; x reaches t if x >= t, or x > t if `strict`.
// `range` lies within int32. Nothing if no line fits them; a line is checked at every step,
// exactly.
std::optional<Ladder> fit_ladder(const int64_t* t, size_t count, bool strict,
                                 const program::Range& range);

}  // namespace lastbit
