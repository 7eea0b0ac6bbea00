// SPDX-License-Identifier: Apache-2.0
// u8 activations and s8 weights, vpdpbusd.
#if defined(__x86_64__) || defined(_M_X64)
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

void row_sums(const uint8_t* a, ptrdiff_t a_stride, size_t k, int32_t rows, int32_t* sums) {
  const __m512i ones = _mm512_set1_epi8(1);
  for (int32_t row = 0; row < rows; ++row, a += a_stride) {
    __m512i sum = _mm512_setzero_si512();
    size_t i = 0;
    for (; i + 64 <= k; i += 64) Arch::dot(sum, Arch::load(a + i), ones);
    if (i < k) {
      const __mmask64 rest = (uint64_t{1} << (k - i)) - 1;
      Arch::dot(sum, _mm512_maskz_loadu_epi8(rest, a + i), ones);
    }
    alignas(64) int32_t lane[16];
    Arch::store(lane, sum);
    int32_t total = 0;
    for (int32_t v : lane) total += v;
    sums[row] = total;
  }
}

// 28 accumulators: 14 rows divide the image widths 112, 56, 28, 14; 7 rows those of 7.
const TileShape shapes[] = {tile_shape<14, 2>(), tile_shape<7, 4>(), tile_shape<6, 2>(),
                            tile_shape<4, 4>(),  tile_shape<2, 2>(), tile_shape<1, 4>()};
}  // namespace

const GemmKernel gemm_u8s8_vnni = {"gemm_u8s8_vnni", Arch::lanes, Arch::terms, Arch::operand_bytes,
                                   shapes,           6,           gather,      row_sums};

}  // namespace lastbit
#include "kernels/isa/end.inc"
#endif
