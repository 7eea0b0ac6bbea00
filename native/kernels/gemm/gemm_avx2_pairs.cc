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
}  // namespace

const GemmKernel gemm_u8s8_avx2 = {"gemm_u8s8_avx2",
                                   Arch::lanes,
                                   Arch::terms,
                                   Arch::operand_bytes,
                                   shapes,
                                   2,
                                   gather,
                                   nullptr,
                                   0,
                                   nullptr,
                                   &pair_search,
                                   &gemm_s16_avx2,
                                   nullptr,
                                   s16_prescale};

}  // namespace lastbit
#include "kernels/isa/end.inc"
#endif
