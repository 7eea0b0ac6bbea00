// SPDX-License-Identifier: Apache-2.0
// Random requantizations in stages, for the checks of every family.
#pragma once
#include <cstdint>

#include "kernels/check.h"
#include "program/program.h"

namespace lastbit::check {

// Pipelines as accelerators have them, for accumulators of some 2^exponent codes and up to 2^31:
// 0 offset, factor, shift and saturation; 1 those with lines between breakpoints; 2 thresholds;
// 3 thresholds from real scales.
constexpr int staged_count = 4;
program::Requant staged(Noise& noise, int kind, int32_t exponent, size_t channels);

}  // namespace lastbit::check
