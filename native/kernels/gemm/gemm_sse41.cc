// SPDX-License-Identifier: Apache-2.0
// s16 operands and pmaddwd.
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
#include "kernels/isa/arch_sse41.inc"
#include "kernels/requant/epilogue.inc"
#include "kernels/gemm/multiply_broadcast.inc"
#include "kernels/gemm/tile.inc"
// clang-format on

// 12 accumulators, 2 vectors of weights, a broadcast and a product: all 16 registers.
const TileShape shapes[] = {tile_shape<6, 2>(), tile_shape<3, 2>(), tile_shape<1, 2>(),
                            tile_shape<1, 4>()};

constexpr GemmKernel make_kernel() {
  GemmKernel kernel = gemm_kernel("gemm_s16_sse41", shapes);
  kernel.most_prescale = s16_prescale;
  return kernel;
}
}  // namespace

const GemmKernel gemm_s16_sse41 = make_kernel();

}  // namespace lastbit
#include "kernels/isa/end.inc"
#endif
