// SPDX-License-Identifier: Apache-2.0
// Requantizations without an epilogue form (stages, shifts whose ties look at parity or sign,
// float32 rules) as a few steps on vectors of float64. A float64 holds every integer up to 2^53,
// and scaling by 2^-s and rounding it are exact: where no value can leave 2^51, which is proven at
// load from the layer's ranges, the steps give the definition's integers (requant/finish.h).
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "numeric/round.h"
#include "numeric/saturate.h"
#include "program/program.h"
#include "program/ranges.h"

namespace lastbit {

// One step; arrays hold a float64 for each lane, `count` of them where a lane has several.
struct LaneStep {
  enum class Kind : uint8_t {
    add,       // v + a
    scale,     // v * a, then rounded by `round`
    multiply,  // v * a
    clamp,     // min(max(v, a), b)
    float32,   // f32(f32(v) * a), and + 0.5 in float32 if `add_half`; first step only
    round,     // rounded by `round`
    segments,  // k = number of a[1..] <= v; round((v - a[k]) * b[k]) + c[k]; the last b is there
               // too
    count,     // number of a <= v, one by one
    search,    // likewise by halving: count = 2^n - 1, filled up with infinities
  };
  Kind kind;
  Rule round = Rule::floor;
  bool add_half = false;
  size_t count =
      1;  // entries of a lane: a[entry * lanes + lane]; `search`: a[lane * count + entry]
  std::vector<double> a, b, c;
};

struct LaneSteps {
  size_t lanes = 0;  // a multiple of 4
  std::vector<LaneStep> steps;
  std::vector<double> zero_point, lo, hi;  // of each lane, stored codes
};

// The steps of a panel whose lane l works for channel channels[l], or for none if that is negative.
// `ranges` (by channel) hold what accumulators can reach; arrays of requant and clamp have one
// entry or one per channel. Nothing if some value is not proven exact.
std::optional<LaneSteps> plan_lane_steps(const program::Requant& requant,
                                         const program::Clamp& clamp,
                                         const std::vector<program::Range>& ranges,
                                         const program::Tensor& output,
                                         const std::vector<int32_t>& channels);

// Most accumulators of one call.
constexpr size_t lane_portion = 256;

struct LaneKernel {
  const char* name;
  // `rows` rows of steps.lanes accumulators -> as many stored codes, lane by lane. rows * lanes is
  // at most lane_portion.
  void (*run)(const LaneSteps& steps, const int32_t* accumulators, size_t rows, uint8_t* codes);
};

#define VARIANT(name, needs) extern const LaneKernel name;
#include "kernels/requant/lane_variants.inc"
#undef VARIANT

// The best variant for the flags, or nullptr.
const LaneKernel* pick_lane_kernel(uint32_t cpu_flags);

}  // namespace lastbit
