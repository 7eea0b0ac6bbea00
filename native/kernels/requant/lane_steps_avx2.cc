// SPDX-License-Identifier: Apache-2.0
#if defined(__x86_64__) || defined(_M_X64)
#include <cstring>

#include "cpu.h"
#include "kernels/isa/intrinsics.h"
#include "kernels/isa/unroll.h"
#include "kernels/requant/lane_steps.h"
// clang-format off
#include "kernels/isa/begin_avx2.inc"
namespace lastbit {
namespace {
#include "kernels/isa/doubles_avx2.inc"
#include "kernels/requant/lane_steps.inc"
// clang-format on
}  // namespace

const LaneKernel lane_steps_avx2 = {"steps_avx2", run_steps};

}  // namespace lastbit
#include "kernels/isa/end.inc"
#endif
