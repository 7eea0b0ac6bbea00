// SPDX-License-Identifier: Apache-2.0
// u8 activations and s8 weights, the VEX form of vpdpbusd.
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
#include "kernels/isa/arch_avxvnni.inc"
#include "kernels/requant/epilogue.inc"
#include "kernels/gemm/multiply_broadcast.inc"
#include "kernels/gemm/tile.inc"
// clang-format on

void row_sums(const uint8_t* a, ptrdiff_t a_stride, size_t k, int32_t rows, int32_t* sums) {
  for (int32_t row = 0; row < rows; ++row, a += a_stride) {
    __m256i sum = _mm256_setzero_si256();
    size_t i = 0;
    for (; i + 32 <= k; i += 32) {
      sum = _mm256_add_epi64(sum, _mm256_sad_epu8(Arch::load(a + i), _mm256_setzero_si256()));
    }
    alignas(32) int64_t lane[4];
    Arch::store(lane, sum);
    int64_t total = lane[0] + lane[1] + lane[2] + lane[3];
    for (; i < k; ++i) total += a[i];
    sums[row] = static_cast<int32_t>(total);
  }
}

// 12 accumulators, 2 vectors of weights and a broadcast: 15 of 16 registers.
const TileShape shapes[] = {tile_shape<6, 2>(), tile_shape<3, 2>(), tile_shape<1, 2>(),
                            tile_shape<1, 4>()};

constexpr GemmKernel make_kernel() {
  GemmKernel kernel = gemm_kernel("gemm_u8s8_avxvnni", shapes);
  kernel.row_sums = row_sums;
  return kernel;
}
}  // namespace

const GemmKernel gemm_u8s8_avxvnni = make_kernel();

}  // namespace lastbit
#include "kernels/isa/end.inc"
#endif
