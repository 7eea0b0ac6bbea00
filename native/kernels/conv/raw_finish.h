// SPDX-License-Identifier: Apache-2.0
// Form::raw: what SIMD convolutions do with accumulators whose requantization has no epilogue form.
#pragma once
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include "kernels/conv/fast_conv_plan.h"
#include "kernels/requant/finish.h"
#include "kernels/requant/lane_steps.h"

namespace lastbit {

// Of one panel: channels [first, first + order.size()) as far as they exist. Vectors of float64
// where they are exact (requant/lane_steps.h), else the definition, value by value.
class RawFinish {
 public:
  // `order`: place in the panel of each lane's channel. Lanes are a multiple of 4, and four lanes
  // that begin at a multiple of 4 hold neighbouring channels in order.
  RawFinish(const ConvPlan& plan, int32_t first, const std::vector<int32_t>& order);

  // For reports.
  const char* name() const { return steps_ ? kernel_->name : form_name(Form::raw); }

  // Rows of accumulators in lane order, one after the other -> stored codes in channel order; row i
  // goes to to(i).
  template <class To>
  void operator()(const int32_t* accumulators, int32_t rows, To to) const {
    const auto lanes = static_cast<int32_t>(order_.size());
    const int32_t portion = static_cast<int32_t>(lane_portion) / lanes;
    uint8_t codes[lane_portion];
    for (int32_t row = 0; row < rows; row += portion) {
      const int32_t count = row + portion < rows ? portion : rows - row;
      finish_portion(accumulators + ptrdiff_t{row} * lanes, count, codes);
      for (int32_t i = 0; i < count; ++i) put(codes + ptrdiff_t{i} * lanes, to(row + i));
    }
  }

 private:
  // To stored codes, still in lane order.
  void finish_portion(const int32_t* accumulators, int32_t rows, uint8_t* codes) const;
  void put(const uint8_t* codes, uint8_t* out) const {
    uint8_t pixel[lane_portion];
    for (size_t i = 0; i < order_.size(); i += 4) std::memcpy(pixel + order_[i], codes + i, 4);
    std::memcpy(out, pixel, count_);
  }

  std::vector<int32_t> order_;
  size_t count_;  // channels that exist
  int32_t offset_;
  Finish finish_;  // its channel 0 is `first`
  const LaneKernel* kernel_;
  std::optional<LaneSteps> steps_;
};

}  // namespace lastbit
