// SPDX-License-Identifier: Apache-2.0
#include "kernels/conv/raw_finish.h"

#include <algorithm>

namespace lastbit {
namespace {

size_t existing(const ConvPlan& plan, int32_t first, size_t lanes) {
  return std::min(lanes, static_cast<size_t>(plan.out_channels - first));
}

// Entries of channels [first, first + count); an array of one entry serves all channels.
template <class T>
std::vector<T> part_of(const std::vector<T>& values, size_t first, size_t count) {
  if (values.size() <= 1) return values;
  const auto begin = values.begin() + static_cast<ptrdiff_t>(first);
  return {begin, begin + static_cast<ptrdiff_t>(count)};
}

program::Clamp part_of(const program::Clamp& clamp, size_t first, size_t count) {
  return {part_of(clamp.lo, first, count), part_of(clamp.hi, first, count)};
}

}  // namespace

RawFinish::RawFinish(const ConvPlan& plan, int32_t first, const std::vector<int32_t>& order)
    : order_(order),
      count_(existing(plan, first, order.size())),
      offset_(program::stored_offset(plan.output.type)),
      finish_(part_of(plan.requant, static_cast<size_t>(first), count_),
              part_of(plan.clamp, static_cast<size_t>(first), count_), plan.output.zero_point),
      kernel_(plan.lane_kernel) {
  if (kernel_ == nullptr) return;
  std::vector<int32_t> channels(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    channels[i] = static_cast<size_t>(order[i]) < count_ ? first + order[i] : -1;
  }
  steps_ = plan_lane_steps(plan.requant, plan.clamp, plan.ranges, plan.output, channels);
}

void RawFinish::finish_portion(const int32_t* accumulators, int32_t rows, uint8_t* codes) const {
  if (steps_) return kernel_->run(*steps_, accumulators, static_cast<size_t>(rows), codes);
  const size_t lanes = order_.size();
  int32_t in_order[lane_portion], finished[lane_portion];
  for (int32_t row = 0; row < rows; ++row, accumulators += lanes, codes += lanes) {
    for (size_t i = 0; i < lanes; ++i) in_order[order_[i]] = accumulators[i];
    finish_.all(in_order, count_, finished);
    std::fill(finished + count_, finished + lanes, 0);
    for (size_t i = 0; i < lanes; ++i) {
      codes[i] = static_cast<uint8_t>(finished[order_[i]] + offset_);
    }
  }
}

}  // namespace lastbit
