// SPDX-License-Identifier: Apache-2.0
#if defined(__aarch64__)
#include <arm_neon.h>

#include <cstring>

#include "cpu.h"
#include "kernels/isa/unroll.h"
#include "kernels/requant/lane_steps.h"
// clang-format off
namespace lastbit {
namespace {
#include "kernels/isa/doubles_neon.inc"
#include "kernels/requant/lane_steps.inc"
// clang-format on
}  // namespace

const LaneKernel lane_steps_neon = {"steps_neon", run_steps};

}  // namespace lastbit
#endif
