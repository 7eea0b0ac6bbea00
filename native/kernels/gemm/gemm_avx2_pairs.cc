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
  static_assert(sizeof(PairSums) == 48, "two overlapping vectors");
  const __m256i most = _mm256_set1_epi8(static_cast<char>(pair_most));
  for (int i = 0; i < count; ++i) {
    const __m256i room0 = _mm256_sub_epi8(most, Arch::load(items[i].by_sign)),
                  room1 = _mm256_sub_epi8(most, Arch::load(items[i].by_sign + 16));
    for (int j = i + 1; j < count; ++j) {
      // What is left of the room is below 0 where a sum needs more.
      const __m256i over =
          _mm256_or_si256(_mm256_subs_epu8(Arch::load(items[j].by_sign), room0),
                          _mm256_subs_epu8(Arch::load(items[j].by_sign + 16), room1));
      const uint32_t safe = _mm256_testz_si256(over, over) != 0 ? 1 : 0;
      partners[i] |= safe << j;
      partners[j] |= safe << i;
    }
  }
}

// Parts of 4 rows. Three vectors: 12 accumulators and 4 to work with, 16 registers. Two: 8
// accumulators, 4 vectors of weights, ones, and 3.
const TileShape shapes[] = {pair_tile_shape<4, 3, 2>(), pair_tile_shape<4, 3, 1>(),
                            pair_tile_shape<2, 3, 1>(), pair_tile_shape<1, 3, 1>(),
                            pair_tile_shape<4, 2, 2>(), pair_tile_shape<4, 2, 1>(),
                            pair_tile_shape<2, 2, 1>(), pair_tile_shape<1, 2, 1>()};
}  // namespace

const GemmKernel gemm_u8s8_avx2 = {"gemm_u8s8_avx2",
                                   Arch::lanes,
                                   Arch::terms,
                                   Arch::operand_bytes,
                                   shapes,
                                   8,
                                   gather,
                                   nullptr,
                                   0,
                                   nullptr,
                                   permute,
                                   pair_partners,
                                   &gemm_s16_avx2,
                                   nullptr,
                                   s16_prescale};

}  // namespace lastbit
#include "kernels/isa/end.inc"
#endif
