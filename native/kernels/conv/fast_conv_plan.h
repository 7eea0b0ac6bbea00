// SPDX-License-Identifier: Apache-2.0
// What the SIMD convolutions of fast_conv.cc share: geometry, and the layer's integers as kernels
// need them.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels/conv/fast_conv.h"
#include "kernels/requant/epilogue.h"
#include "kernels/requant/floor_f32.h"
#include "kernels/requant/lane_steps.h"
#include "memory/uninitialized.h"
#include "program/program.h"

namespace lastbit {

// acc = bias + sum (x - z)(w - zw), x stored as u8 with zero point z, is computed as
//   bias - z * sum (w - zw) + sum x * v + c * sum x,   w - zw = v + c,
// modulo 2^32. c is 0 where all v are within the kernel's weight type, else one number that brings
// them there (legacy weights: u8 less any zero point span 256 values).
struct ConvPlan {
  program::Window window;
  int32_t in_height = 0, in_width = 0, in_channels = 0;
  int32_t out_height = 0, out_width = 0, out_channels = 0;
  size_t reduction = 0;
  Pads halo;                       // of the input view
  std::vector<int32_t> bias;       // less z * sum (w - zw), wrapped to int32; not scaled
  Uninitialized<int16_t> weights;  // w - zw, [oc][reduction], in [-383, 383]
  int32_t least_weight = 0, greatest_weight = 0;
  std::vector<program::Range> ranges;  // of accumulators, by channel, within int32
  Epilogue epilogue;
  const LaneKernel* lane_kernel;  // for Form::raw; may be null
  program::Requant requant;
  program::Clamp clamp;
  program::Tensor output;
  bool saturating_pairs = false;  // the kernel must saturate each pair of products in s16

  // `accumulators`: program::accumulator_ranges; `most_prescale`: of the kernel that will run it
  // (requant/epilogue.h).
  ConvPlan(const program::Conv& conv, const program::Tensor& input, const program::Tensor& output,
           const std::vector<program::Range>& accumulators, uint32_t cpu_flags,
           int32_t most_prescale);

  // For kernels that have Form::floor_f32.
  void prefer_floor_f32(RemaindersOf remainders_of);

  // The bias for kernels that multiply x - offset by v - c: more by offset * sum (v - c). Scaled by
  // the epilogue's prescale.
  int32_t bias_for(size_t oc, int32_t offset, int32_t correction) const;

  // The lane that has the accumulator of what the epilogue's result has in `lane`.
  int32_t accumulator_lane(int32_t lane) const {
    return is_high(epilogue.form) ? crossed(lane) : lane;
  }
};

// Of the variant that would run a layer without saturating pairs.
int32_t gemm_prescale(uint32_t cpu_flags);
int32_t depthwise_prescale(uint32_t cpu_flags);
// nullptr if no variant of the family fits the flags and the weights. The plan becomes the
// variant's.
std::unique_ptr<FastConv> make_gemm_conv(ConvPlan plan, uint32_t cpu_flags);
std::unique_ptr<FastConv> make_depthwise_conv(ConvPlan plan, uint32_t cpu_flags);

}  // namespace lastbit
