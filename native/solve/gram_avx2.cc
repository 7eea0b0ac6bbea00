// SPDX-License-Identifier: Apache-2.0
#ifdef __x86_64__
#include "solve/gram.h"

namespace lastbit::solve {

// clang-format off: the order of these texts is their meaning
#include "kernels/isa/begin_avx2.inc"

void gram_tile_avx2(const float* a, const float* b, size_t row, size_t count, double* out,
                    size_t stride)
#include "solve/gram_tile.inc"
#include "kernels/isa/end.inc"
// clang-format on

}  // namespace lastbit::solve
#endif
