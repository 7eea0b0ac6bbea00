// SPDX-License-Identifier: Apache-2.0
#ifdef __x86_64__
#include "solve/gram.h"

namespace lastbit::solve {

#include "kernels/isa/begin_avx2.inc"

void gram_tile_avx2(const float* a, const float* b, size_t row, size_t count, double* out,
                    size_t stride)
#include "kernels/isa/end.inc"
#include "solve/gram_tile.inc"

}  // namespace lastbit::solve
#endif
