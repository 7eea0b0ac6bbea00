// SPDX-License-Identifier: Apache-2.0
// u8 activations and s8 weights, USMMLA.
#if defined(__aarch64__)
#include <arm_neon.h>

#include <cstring>

#include "cpu.h"
#include "kernels/gemm/gemm.h"
#include "kernels/isa/unroll.h"
// clang-format off
#include "kernels/isa/begin_i8mm.inc"
namespace lastbit {
namespace {
#include "kernels/isa/arch_i8mm.inc"
#include "kernels/requant/epilogue_neon.inc"
#include "kernels/gemm/multiply_blocks.inc"
#include "kernels/gemm/tile.inc"
#include "kernels/gemm/row_sums_neon.inc"
// clang-format on

// 16 accumulators of 2 x 2, 8 registers of activations. 7 rows would waste an eighth of the
// products to spare the tiles that cross image rows some copying: dearer.
const TileShape shapes[] = {tile_shape<8, 2>(), tile_shape<4, 2>(), tile_shape<2, 2>(),
                            tile_shape<1, 2>(), tile_shape<1, 4>()};

constexpr GemmKernel make_kernel() {
  GemmKernel kernel = gemm_kernel("gemm_u8s8_i8mm", shapes);
  kernel.row_sums = row_sums;
  kernel.repack = repack;
  return kernel;
}
}  // namespace

const GemmKernel gemm_u8s8_i8mm = make_kernel();

}  // namespace lastbit
#include "kernels/isa/end.inc"
#endif
