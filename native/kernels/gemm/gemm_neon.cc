// SPDX-License-Identifier: Apache-2.0
// s8 activations (stored ones less 128) and s8 weights, SMULL and SADALP. Not SMLAL on the
// products: two of them may leave s16.
#if defined(__aarch64__)
#include <arm_neon.h>

#include <cstring>

#include "cpu.h"
#include "kernels/gemm/gemm.h"
#include "kernels/isa/unroll.h"
// clang-format off
namespace lastbit {
namespace {
#include "kernels/isa/arch_neon.inc"
#include "kernels/requant/epilogue_neon.inc"
#include "kernels/gemm/multiply_lanes.inc"
#include "kernels/gemm/tile.inc"
#include "kernels/gemm/row_sums_neon.inc"
// clang-format on

// Terms 0 and 1 of the 4 channels of a vector, then terms 2 and 3.
void repack(uint8_t* weights, size_t groups, int32_t vectors) {
  for (size_t i = 0; i < groups * static_cast<size_t>(vectors); ++i, weights += 16) {
    const int16x8_t w = Arch::words(Arch::load(weights));
    Arch::store(weights, Arch::of_words(vcombine_s16(vget_low_s16(vuzp1q_s16(w, w)),
                                                     vget_low_s16(vuzp2q_s16(w, w)))));
  }
}

// 14 accumulators, 7 registers of activations; 7 rows divide the image widths 112, 56, 28, 14, 7.
const TileShape shapes[] = {tile_shape<7, 2>(), tile_shape<4, 2>(), tile_shape<2, 2>(),
                            tile_shape<1, 2>(), tile_shape<1, 4>()};

constexpr GemmKernel make_kernel() {
  GemmKernel kernel = gemm_kernel("gemm_s8_neon", shapes);
  kernel.row_sums = row_sums;
  kernel.activation_offset = 128;
  kernel.repack = repack;
  return kernel;
}
}  // namespace

const GemmKernel gemm_s8_neon = make_kernel();

}  // namespace lastbit
#endif
