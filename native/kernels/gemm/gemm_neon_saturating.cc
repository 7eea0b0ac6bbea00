// SPDX-License-Identifier: Apache-2.0
// u8 activations and s8 weights, pairs of products in saturating s16 in the order of the terms.
#if defined(__aarch64__)
#include <arm_neon.h>

#include <cstring>

#include "cpu.h"
#include "kernels/gemm/gemm.h"
#include "kernels/isa/unroll.h"
// clang-format off
namespace lastbit {
namespace {
#include "kernels/isa/arch_neon_saturating.inc"
#include "kernels/requant/epilogue_neon.inc"
#include "kernels/gemm/multiply_lanes.inc"
#include "kernels/gemm/tile.inc"
// clang-format on

const TileShape shapes[] = {tile_shape<7, 2>(), tile_shape<4, 2>(), tile_shape<2, 2>(),
                            tile_shape<1, 2>(), tile_shape<1, 4>()};
}  // namespace

const GemmKernel gemm_saturating_neon = gemm_kernel("gemm_saturating_neon", shapes);

}  // namespace lastbit
#endif
