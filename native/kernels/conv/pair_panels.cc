// SPDX-License-Identifier: Apache-2.0
#include "kernels/conv/pair_panels.h"

#include "kernels/conv/panel_widths.h"
#include "kernels/gemm/gemm.h"

namespace lastbit {
namespace {

constexpr int32_t lanes = 8;  // of a vector

// Weights of one panel, [k][lane]; lanes without a channel hold 0.
void transpose_panel(const ConvPlan& plan, const PanelWidth& width, std::vector<int16_t>* weights) {
  constexpr auto stride = size_t{pair_channels};
  weights->assign(plan.reduction * stride, 0);
  for (int32_t l = 0; l < width.vectors * lanes; ++l) {
    const int32_t lane = plan.accumulator_lane(l % lanes);
    const int32_t oc = width.first + gemm_channel(width.vectors, l / lanes, lane, lanes);
    if (oc >= plan.out_channels) continue;
    const int16_t* from = &plan.weights[static_cast<size_t>(oc) * plan.reduction];
    int16_t* to = weights->data() + l;
    for (size_t k = 0; k < plan.reduction; ++k) to[k * stride] = from[k];
  }
}

}  // namespace

std::vector<PairPanel> plan_pair_panels(const ConvPlan& plan, PairPartners partners) {
  std::vector<PairPanel> panels;
  std::vector<int16_t> weights;
  double cost = 0, widened = 0;
  for (const PanelWidth& width : mixed_panels(plan.out_channels, lanes)) {
    transpose_panel(plan, width, &weights);
    const int32_t channels = width.vectors * lanes;
    panels.push_back(plan_pairs(weights.data(), plan.reduction, channels, partners,
                                1 << plan.epilogue.prescale));
    cost += panels.back().cost();
    widened += widened_cost(plan.reduction, channels);
  }
  if (cost > widened) panels.clear();
  return panels;
}

}  // namespace lastbit
