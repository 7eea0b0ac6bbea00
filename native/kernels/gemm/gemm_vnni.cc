// SPDX-License-Identifier: Apache-2.0
// u8 activations and s8 weights, vpdpbusd.
#if defined(__x86_64__) || defined(_M_X64)
#include <algorithm>
#include <cstring>

#include "cpu.h"
#include "kernels/gemm/gemm.h"
#include "kernels/isa/intrinsics.h"
#include "kernels/isa/unroll.h"
// clang-format off
#include "kernels/isa/begin_vnni.inc"
namespace lastbit {
namespace {
#include "kernels/isa/arch_vnni.inc"
#include "kernels/requant/epilogue.inc"
#include "kernels/gemm/multiply_broadcast.inc"
#include "kernels/gemm/tile.inc"
// clang-format on

// Eight sums of eight bytes each.
LASTBIT_INLINE __m512i sums_of_8(const uint8_t* a, size_t k) {
  const __m512i zero = _mm512_setzero_si512();
  __m512i sum = zero;
  size_t i = 0;
  for (; i + 64 <= k; i += 64) {
    sum = _mm512_add_epi64(sum, _mm512_sad_epu8(Arch::load(a + i), zero));
  }
  if (i == k) return sum;
  const __mmask64 rest = (uint64_t{1} << (k - i)) - 1;
  return _mm512_add_epi64(sum, _mm512_sad_epu8(_mm512_maskz_loadu_epi8(rest, a + i), zero));
}

LASTBIT_INLINE __m512i add_neighbours(__m512i a, __m512i b) {
  return _mm512_add_epi64(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
}

// Eight rows at a time, so that they share the additions across lanes: 21 operations instead of a
// chain of 16 scalar ones for each.
void row_sums(const uint8_t* a, ptrdiff_t a_stride, size_t k, int32_t rows, int32_t* sums) {
  for (int32_t row = 0; row < rows; row += 8) {
    __m512i s[8];
    LASTBIT_UNROLL
    for (int i = 0; i < 8; ++i) {  // rows that do not exist repeat the last one
      s[i] = sums_of_8(a + std::min(row + i, rows - 1) * a_stride, k);
    }
    const __m512i s01 = add_neighbours(s[0], s[1]), s23 = add_neighbours(s[2], s[3]),
                  s45 = add_neighbours(s[4], s[5]), s67 = add_neighbours(s[6], s[7]);
    // 128-bit lanes 0 and 1 of the sum of rows 0 to 3, then lanes 0 to 3 of all rows.
    const __m512i low = _mm512_add_epi64(_mm512_shuffle_i64x2(s01, s23, 0x88),
                                         _mm512_shuffle_i64x2(s01, s23, 0xdd));
    const __m512i high = _mm512_add_epi64(_mm512_shuffle_i64x2(s45, s67, 0x88),
                                          _mm512_shuffle_i64x2(s45, s67, 0xdd));
    const __m512i all = _mm512_add_epi64(_mm512_shuffle_i64x2(low, high, 0x88),
                                         _mm512_shuffle_i64x2(low, high, 0xdd));
    const auto exist = static_cast<__mmask8>((1u << std::min(rows - row, 8)) - 1);
    _mm256_mask_storeu_epi32(sums + row, exist, _mm512_cvtepi64_epi32(all));
  }
}

// 28 accumulators: 14 rows divide the image widths 112, 56, 28, 14; 7 rows those of 7. Shapes of
// half the width serve what remains of the channels: 14 accumulators are still more than the ten
// that keep both ports busy.
const TileShape shapes[] = {tile_shape<14, 2>(), tile_shape<14, 1>(), tile_shape<7, 4>(),
                            tile_shape<7, 2>(),  tile_shape<6, 2>(),  tile_shape<6, 1>(),
                            tile_shape<4, 4>(),  tile_shape<4, 2>(),  tile_shape<2, 2>(),
                            tile_shape<2, 1>(),  tile_shape<1, 4>(),  tile_shape<1, 2>()};

constexpr GemmKernel of_avx512(GemmKernel kernel) {
  kernel.remainders = remainders_avx512;
  kernel.stores_part = true;
  kernel.takes_extras = true;
  return kernel;
}
}  // namespace

const GemmKernel gemm_u8s8_vnni = of_avx512({"gemm_u8s8_vnni", Arch::lanes, Arch::terms,
                                             Arch::operand_bytes, shapes, 12, gather, row_sums});

}  // namespace lastbit
#include "kernels/isa/end.inc"
#endif
