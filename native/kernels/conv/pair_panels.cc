// SPDX-License-Identifier: Apache-2.0
#include "kernels/conv/pair_panels.h"

#include "kernels/conv/panel_widths.h"
#include "kernels/gemm/gemm.h"

namespace lastbit {
namespace {

constexpr int32_t lanes = 8;  // of a vector

// Output channel of each lane of a panel, or -1.
void channels_of(const ConvPlan& plan, const PanelWidth& width, int32_t* channels) {
  for (int32_t l = 0; l < pair_channels; ++l) {
    const int32_t lane = plan.accumulator_lane(l % lanes);
    const int32_t oc = width.first + gemm_channel(width.vectors, l / lanes, lane, lanes);
    channels[l] = l < width.vectors * lanes && oc < plan.out_channels ? oc : -1;
  }
}

}  // namespace

std::vector<PairPanel> plan_pair_panels(const ConvPlan& plan, const PairSearch& search) {
  std::vector<PairPanel> panels;
  std::vector<int16_t> weights(plan.reduction * size_t{pair_channels});
  double cost = 0, widened = 0;
  for (const PanelWidth& width : mixed_panels(plan.out_channels, lanes)) {
    int32_t out_channels[pair_channels];
    channels_of(plan, width, out_channels);
    search.transpose(plan.weights.data(), plan.reduction, out_channels, plan.reduction,
                     weights.data());
    const int32_t channels = width.vectors * lanes;
    panels.push_back(
        plan_pairs(weights.data(), plan.reduction, channels, search, 1 << plan.epilogue.prescale));
    cost += panels.back().cost();
    widened += widened_cost(plan.reduction, channels);
  }
  if (cost > widened) panels.clear();
  return panels;
}

}  // namespace lastbit
