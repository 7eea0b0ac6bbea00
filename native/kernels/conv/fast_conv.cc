// SPDX-License-Identifier: Apache-2.0
#include "kernels/conv/fast_conv.h"

#include <algorithm>

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

template <class T>
void center(const T* from, size_t count, int32_t zero_point, int16_t* to) {
  for (size_t i = 0; i < count; ++i) to[i] = static_cast<int16_t>(from[i] - zero_point);
}

int64_t sum(const int16_t* values, size_t count) {
  int64_t total = 0;
  for (size_t i = 0; i < count; ++i) total += values[i];
  return total;
}

}  // namespace

ConvPlan::ConvPlan(const program::Conv& conv, const program::Tensor& input,
                   const program::Tensor& output)
    : window(conv.window),
      in_height(input.height),
      in_width(input.width),
      in_channels(input.channels),
      out_height(output.height),
      out_width(output.width),
      out_channels(output.channels),
      reduction(conv.reduction()),
      halo(input_halo(conv.window, input, output)),
      bias(conv.bias),
      weights(conv.weight_count),
      epilogue(plan_epilogue(conv, input, output)),
      finish(conv.requant, conv.clamp, output.zero_point),
      stored_offset(program::stored_offset(output.type)) {
  const int32_t z = input.zero_point + program::stored_offset(input.type);
  for (size_t oc = 0; oc < bias.size(); ++oc) {
    const size_t at = oc * reduction;
    const int32_t zero_point = conv.weight_zero_points[oc];
    if (conv.weight_type == program::WeightType::s8) {
      center(static_cast<const int8_t*>(conv.weights) + at, reduction, zero_point, &weights[at]);
    } else {
      center(static_cast<const uint8_t*>(conv.weights) + at, reduction, zero_point, &weights[at]);
    }
    const auto total = static_cast<uint32_t>(sum(&weights[at], reduction));
    bias[oc] = static_cast<int32_t>(static_cast<uint32_t>(bias[oc]) - uint32_t(z) * total);
  }
  const auto [least, greatest] = std::minmax_element(weights.begin(), weights.end());
  least_weight = *least;
  greatest_weight = *greatest;
}

void RawFinish::operator()(const int32_t* accumulators, int32_t first, int32_t count,
                           uint8_t* out) const {
  for (int32_t i = 0; i < count; ++i) {
    const int32_t code = finish_.one(accumulators[i], static_cast<size_t>(first + i));
    out[i] = static_cast<uint8_t>(code + offset_);
  }
}

std::unique_ptr<FastConv> make_fast_conv(const program::Conv& conv, const program::Tensor& input,
                                         const program::Tensor& output, uint32_t cpu_flags) {
  const bool bytes = program::is_8_bit(input.type) && program::is_8_bit(output.type) &&
                     conv.weight_type != program::WeightType::s16;
  if (!bytes || conv.requant.kind == program::RequantKind::none) return nullptr;
  const bool depthwise =
      conv.groups > 1 && conv.groups == conv.input_channels && conv.groups == conv.output_channels;
  if (!depthwise && conv.groups != 1) return nullptr;
  if (!program::exact_in_int32(conv, input)) return nullptr;
  const ConvPlan plan(conv, input, output);
  return depthwise ? make_depthwise_conv(plan, cpu_flags) : make_gemm_conv(plan, cpu_flags);
}

}  // namespace lastbit
