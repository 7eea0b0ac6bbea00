// SPDX-License-Identifier: Apache-2.0
#include "kernels/conv/fast_conv.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "kernels/conv/fast_conv_plan.h"
#include "program/ranges.h"

namespace lastbit {
namespace {

int32_t reach(int32_t out, int32_t stride, int32_t kernel, int32_t dilation) {
  return (out - 1) * stride + (kernel - 1) * dilation + 1;
}

// Rows and columns outside the image that some output reads; at most the pads.
Pads input_halo(const program::Window& w, const program::Tensor& input,
                const program::Tensor& output) {
  const int32_t rows = reach(output.height, w.stride_h, w.kernel_h, w.dilation_h);
  const int32_t columns = reach(output.width, w.stride_w, w.kernel_w, w.dilation_w);
  return {w.pads.top, w.pads.left, std::max(0, rows - w.pads.top - input.height),
          std::max(0, columns - w.pads.left - input.width)};
}

// One channel's weights less their zero point, and what the plan wants to know of them. Plain loops
// over 16-bit numbers, which compilers vectorize: a large net has millions of weights to load.
struct Centered {
  int64_t sum = 0;
  int16_t least = INT16_MAX, greatest = INT16_MIN;
};

template <class T>
Centered center(const T* from, size_t count, int32_t zero_point, int16_t* to) {
  constexpr size_t portion = 1 << 15;  // of sums that stay in int32
  const auto z = static_cast<int16_t>(zero_point);
  Centered result;
  for (size_t at = 0; at < count; at += portion) {
    const size_t end = std::min(count, at + portion);
    int32_t sum = 0;
    for (size_t i = at; i < end; ++i) {
      const auto w = static_cast<int16_t>(from[i] - z);
      to[i] = w;
      sum += w;
      result.least = std::min(result.least, w);
      result.greatest = std::max(result.greatest, w);
    }
    result.sum += sum;
  }
  return result;
}

Centered center(const program::Conv& conv, size_t oc, int16_t* to) {
  const size_t count = conv.reduction(), at = oc * count;
  const int32_t zero_point = conv.weight_zero_points[oc];
  if (conv.weight_type == program::WeightType::s8) {
    return center(static_cast<const int8_t*>(conv.weights) + at, count, zero_point, to);
  }
  return center(static_cast<const uint8_t*>(conv.weights) + at, count, zero_point, to);
}

}  // namespace

ConvPlan::ConvPlan(const program::Conv& conv, const program::Tensor& input,
                   const program::Tensor& out, const std::vector<program::Range>& accumulators,
                   uint32_t cpu_flags, int32_t most_prescale)
    : window(conv.window),
      in_height(input.height),
      in_width(input.width),
      in_channels(input.channels),
      out_height(out.height),
      out_width(out.width),
      out_channels(out.channels),
      reduction(conv.reduction()),
      halo(input_halo(conv.window, input, out)),
      bias(conv.bias),
      weights(conv.weight_count),
      ranges(int32_ranges(accumulators)),
      epilogue(plan_epilogue(conv.requant, ranges, conv.clamp, out, most_prescale)),
      lane_kernel(pick_lane_kernel(cpu_flags)),
      requant(conv.requant),
      clamp(conv.clamp),
      output(out),
      saturating_pairs(program::has_saturating_pairs(conv)) {
  const int32_t z = input.zero_point + program::stored_offset(input.type);
  least_weight = INT32_MAX;
  greatest_weight = INT32_MIN;
  for (size_t oc = 0; oc < bias.size(); ++oc) {
    const Centered c = center(conv, oc, &weights[oc * reduction]);
    bias[oc] = static_cast<int32_t>(static_cast<uint32_t>(bias[oc]) -
                                    static_cast<uint32_t>(z) * static_cast<uint32_t>(c.sum));
    least_weight = std::min<int32_t>(least_weight, c.least);
    greatest_weight = std::max<int32_t>(greatest_weight, c.greatest);
  }
}

void ConvPlan::prefer_floor_f32(RemaindersOf remainders_of) {
  if (!to_floor_f32(&epilogue, remainders_of)) return;
  for (size_t oc = 0; oc < bias.size(); ++oc) {
    bias[oc] = static_cast<int32_t>(static_cast<uint32_t>(bias[oc]) +
                                    static_cast<uint32_t>(epilogue.channels[oc].origin));
  }
}

int32_t ConvPlan::bias_for(size_t oc, int32_t offset, int32_t correction) const {
  auto b = static_cast<uint32_t>(bias[oc]);
  if (offset != 0) {
    const int16_t* v = &weights[oc * reduction];
    const int64_t sum =
        std::accumulate(v, v + reduction, int64_t{0}) - int64_t(reduction) * correction;
    b += static_cast<uint32_t>(offset) * static_cast<uint32_t>(sum);
  }
  return static_cast<int32_t>(b << epilogue.prescale);
}

namespace {
bool exact_by_pairs(const program::Conv& conv, const program::Tensor& input) {
  return program::has_saturating_pairs(conv) && program::exact_with_pairs(conv, input);
}

// Of the kernel that will run it; those that saturate must not scale what they add.
int32_t prescale_of(const program::Conv& conv, bool depthwise, uint32_t cpu_flags) {
  if (program::has_saturating_pairs(conv)) return no_high_forms;
  return depthwise ? depthwise_prescale(cpu_flags) : gemm_prescale(cpu_flags);
}
}  // namespace

std::unique_ptr<FastConv> make_fast_conv(const program::Conv& conv, const program::Tensor& input,
                                         const program::Tensor& output, uint32_t cpu_flags) {
  const bool bytes = program::is_8_bit(input.type) && program::is_8_bit(output.type) &&
                     conv.weight_type != program::WeightType::s16;
  if (!bytes || conv.requant.kind == program::RequantKind::none) return nullptr;
  const bool depthwise =
      conv.groups > 1 && conv.groups == conv.input_channels && conv.groups == conv.output_channels;
  if (!depthwise && conv.groups != 1) return nullptr;
  if (!program::exact_in_int32(conv, input) && !exact_by_pairs(conv, input)) return nullptr;
  const auto accumulators = program::accumulator_ranges(conv, input);
  ConvPlan plan(conv, input, output, accumulators, cpu_flags,
                prescale_of(conv, depthwise, cpu_flags));
  auto fast = depthwise ? make_depthwise_conv(std::move(plan), cpu_flags)
                        : make_gemm_conv(std::move(plan), cpu_flags);
  if (fast != nullptr) fast->accumulators = program::hull(accumulators);
  return fast;
}

}  // namespace lastbit
