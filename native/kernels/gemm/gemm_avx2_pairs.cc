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

void pair_partners(const PairSums* items, int count, uint32_t* partners) {
  __m256i sums[pair_block];
  for (int i = 0; i < count; ++i) sums[i] = Arch::load(items[i].by_sign);
  const __m256i most = _mm256_set1_epi8(static_cast<char>(pair_most));
  for (int i = 0; i < count; ++i) {
    const __m256i room = _mm256_sub_epi8(most, sums[i]);
    for (int j = i + 1; j < count; ++j) {
      const __m256i inside = _mm256_cmpeq_epi8(_mm256_max_epu8(sums[j], room), room);
      const uint32_t safe = _mm256_movemask_epi8(inside) == -1 ? 1 : 0;
      partners[i] |= safe << j;
      partners[j] |= safe << i;
    }
  }
}

// Parts of 4 rows: 8 accumulators, 4 vectors of weights, ones, and 3 to work with, 16 registers.
const TileShape shapes[] = {pair_tile_shape<4, 2>(), pair_tile_shape<4, 1>(),
                            pair_tile_shape<2, 1>(), pair_tile_shape<1, 1>()};
}  // namespace

const GemmKernel gemm_u8s8_avx2 = {"gemm_u8s8_avx2",
                                   Arch::lanes,
                                   Arch::terms,
                                   Arch::operand_bytes,
                                   shapes,
                                   4,
                                   gather,
                                   nullptr,
                                   0,
                                   nullptr,
                                   permute,
                                   pair_partners,
                                   &gemm_s16_avx2};

}  // namespace lastbit
#include "kernels/isa/end.inc"
#endif
