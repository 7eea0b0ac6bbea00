// SPDX-License-Identifier: Apache-2.0
// A layer's panels of pairs (gemm/pairs.h).
#pragma once
#include <cstdint>
#include <vector>

#include "kernels/conv/fast_conv_plan.h"
#include "kernels/gemm/pairs.h"

namespace lastbit {

// One panel for each 24 or 16 output channels, lanes in the order of gemm_channel. None at all
// where s16 operands cost less: few activations with large weights, which find no partners.
std::vector<PairPanel> plan_pair_panels(const ConvPlan& plan, const PairSearch& search);

}  // namespace lastbit
