// SPDX-License-Identifier: Apache-2.0
// u8 activations and s8 weights, pairs of products in saturating s16 in the order of the terms.
#if defined(__x86_64__) || defined(_M_X64)
#include <cstring>

#include "cpu.h"
#include "kernels/gemm/gemm.h"
#include "kernels/isa/intrinsics.h"
#include "kernels/isa/unroll.h"
// clang-format off
#include "kernels/isa/begin_sse41.inc"
namespace lastbit {
namespace {
#include "kernels/isa/arch_sse41_saturating.inc"
#include "kernels/requant/epilogue.inc"
#include "kernels/gemm/multiply_broadcast.inc"
#include "kernels/gemm/tile.inc"
// clang-format on

// 8 accumulators, 2 vectors of weights, ones, a broadcast and its products.
const TileShape shapes[] = {tile_shape<4, 2>(), tile_shape<2, 2>(), tile_shape<1, 2>(),
                            tile_shape<1, 4>()};
}  // namespace

const GemmKernel gemm_saturating_sse41 = gemm_kernel("gemm_saturating_sse41", shapes);

}  // namespace lastbit
#include "kernels/isa/end.inc"
#endif
