// SPDX-License-Identifier: Apache-2.0
// s8 activations (stored ones less 128) and s8 weights, SDOT.
#if defined(__aarch64__)
#include <arm_neon.h>

#include <cstring>

#include "cpu.h"
#include "kernels/gemm/gemm.h"
#include "kernels/isa/unroll.h"
// clang-format off
#include "kernels/isa/begin_neondot.inc"
namespace lastbit {
namespace {
#include "kernels/isa/arch_neondot.inc"
#include "kernels/requant/epilogue_neon.inc"
#include "kernels/gemm/multiply_lanes.inc"
#include "kernels/gemm/tile.inc"
#include "kernels/gemm/row_sums_neon.inc"
// clang-format on

// 14 accumulators, 7 registers of activations; 7 rows divide the image widths 112, 56, 28, 14, 7.
const TileShape shapes[] = {tile_shape<7, 2>(), tile_shape<4, 2>(), tile_shape<2, 2>(),
                            tile_shape<1, 2>(), tile_shape<1, 4>()};

constexpr GemmKernel make_kernel() {
  GemmKernel kernel = gemm_kernel("gemm_s8_neondot", shapes);
  kernel.row_sums = row_sums;
  kernel.activation_offset = 128;
  return kernel;
}
}  // namespace

const GemmKernel gemm_s8_neondot = make_kernel();

}  // namespace lastbit
#include "kernels/isa/end.inc"
#endif
