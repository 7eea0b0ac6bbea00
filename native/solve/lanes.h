// SPDX-License-Identifier: Apache-2.0
// The two loops in which the searches spend their time, over blocks [terms][lanes]. Products are
// added in the order of k in each lane and never fused, so the width of a register changes no bit.
#pragma once
#include <cstddef>

#include "solve/quadratic.h"

namespace lastbit::solve {

// Rows of a matrix that share one walk over a block.
constexpr size_t rows_at_once = 4;

struct LaneLoops {
  // sums[i * lanes + r] += sum over k < count of rows[i * stride + k] * block[k * lanes + r], for
  // i < rows_at_once
  void (*four_rows)(const double* rows, size_t stride, const double* block, size_t count,
                    double* sums);
  // the same for one row
  void (*one_row)(const double* row, const double* block, size_t count, double* sums);
  // block[k * lanes + r] += row[k] * by[r], for k < count
  void (*add_outer)(const double* row, const double* by, size_t count, double* block);
};

// Of the best instruction set that the CPU has.
const LaneLoops& lane_loops();

extern const LaneLoops lane_loops_ref;
#ifdef __x86_64__
extern const LaneLoops lane_loops_avx2;
#endif

}  // namespace lastbit::solve
