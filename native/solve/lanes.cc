// SPDX-License-Identifier: Apache-2.0
#include "solve/lanes.h"

#include "cpu.h"

namespace lastbit::solve {
namespace {

#include "solve/lanes_loops.inc"

}  // namespace

const LaneLoops lane_loops_ref{four_rows, one_row, add_outer};

const LaneLoops& lane_loops() {
#ifdef __x86_64__
  if ((cpu::detect() & cpu::avx2) != 0) return lane_loops_avx2;
#endif
  return lane_loops_ref;
}

}  // namespace lastbit::solve
