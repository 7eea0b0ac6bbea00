// SPDX-License-Identifier: Apache-2.0
// u8 activations and s8 weights, vpmaddubsw, on panels in which no sum saturates (gemm/pairs.h).
#if defined(__x86_64__) || defined(_M_X64)
#include <cstring>

#include "cpu.h"
#include "kernels/gemm/gemm.h"
#include "kernels/isa/intrinsics.h"
#include "kernels/isa/unroll.h"
// clang-format off
#include "kernels/isa/begin_avx2.inc"
namespace lastbit {
namespace {
#include "kernels/isa/arch_avx2_pairs.inc"
#include "kernels/requant/epilogue.inc"
#include "kernels/gemm/multiply_pairs.inc"
#include "kernels/gemm/tile.inc"
#include "kernels/gemm/tile_pairs.inc"
// clang-format on

#include "kernels/gemm/pair_search_avx2.inc"

// Parts of 3 rows of three vectors: 9 accumulators, the ones, a row's operands, two of its groups
// broadcast and two sums. Of two vectors, 4 rows: 8 accumulators.
const TileShape shapes[] = {pair_tile_shape<12, 3>(), pair_tile_shape<12, 2>()};

constexpr GemmKernel make_kernel() {
  GemmKernel kernel = gemm_kernel("gemm_u8s8_avx2", shapes);
  kernel.pairs = &pair_search;
  kernel.instead = &gemm_s16_avx2;
  kernel.most_prescale = s16_prescale;
  return kernel;
}
}  // namespace

const GemmKernel gemm_u8s8_avx2 = make_kernel();

}  // namespace lastbit
#include "kernels/isa/end.inc"
#endif
