// SPDX-License-Identifier: Apache-2.0
#include "kernels/conv/pair_panels.h"

#include "kernels/gemm/gemm.h"

namespace lastbit {
namespace {

// Weights of one panel, [k][lane]; lanes without a channel hold 0.
void transpose_panel(const ConvPlan& plan, size_t panel, std::vector<int16_t>* weights) {
  constexpr auto lanes = size_t{pair_channels};
  weights->assign(plan.reduction * lanes, 0);
  for (size_t lane = 0; lane < lanes; ++lane) {
    const auto l = static_cast<int32_t>(lane);
    const size_t oc = panel * lanes + static_cast<size_t>(gemm_channel(2, l / 8, l % 8));
    if (oc >= static_cast<size_t>(plan.out_channels)) continue;
    const int16_t* from = &plan.weights[oc * plan.reduction];
    for (size_t k = 0; k < plan.reduction; ++k) (*weights)[k * lanes + lane] = from[k];
  }
}

}  // namespace

std::vector<PairPanel> plan_pair_panels(const ConvPlan& plan, PairPartners partners) {
  const size_t count = (static_cast<size_t>(plan.out_channels) + pair_channels - 1) / pair_channels;
  std::vector<PairPanel> panels;
  std::vector<int16_t> weights;
  double cost = 0;
  for (size_t p = 0; p < count; ++p) {
    transpose_panel(plan, p, &weights);
    panels.push_back(plan_pairs(weights.data(), plan.reduction, partners));
    cost += panels.back().cost();
  }
  if (cost > widened_cost(plan.reduction) * static_cast<double>(count)) panels.clear();
  return panels;
}

}  // namespace lastbit
