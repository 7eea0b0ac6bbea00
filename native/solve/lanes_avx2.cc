// SPDX-License-Identifier: Apache-2.0
#ifdef __x86_64__
#include "solve/lanes.h"

namespace lastbit::solve {
namespace {

// clang-format off: the order of these texts is their meaning
#include "kernels/isa/begin_avx2.inc"
#include "solve/lanes_loops.inc"
#include "kernels/isa/end.inc"
// clang-format on

}  // namespace

const LaneLoops lane_loops_avx2{four_rows, one_row, add_outer};

}  // namespace lastbit::solve
#endif
