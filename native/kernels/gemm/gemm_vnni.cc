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
#include "kernels/gemm/row_sums_avx512.inc"
// clang-format on

// 28 accumulators: 14 rows divide the image widths 112, 56, 28, 14; 7 rows those of 7. Shapes of
// half the width serve what remains of the channels: 14 accumulators are still more than the ten
// that keep both ports busy.
const TileShape shapes[] = {tile_shape<14, 2>(), tile_shape<14, 1>(), tile_shape<7, 4>(),
                            tile_shape<7, 2>(),  tile_shape<6, 2>(),  tile_shape<6, 1>(),
                            tile_shape<4, 4>(),  tile_shape<4, 2>(),  tile_shape<2, 2>(),
                            tile_shape<2, 1>(),  tile_shape<1, 4>(),  tile_shape<1, 2>()};

constexpr GemmKernel make_kernel() {
  GemmKernel kernel = gemm_kernel("gemm_u8s8_vnni", shapes);
  kernel.row_sums = row_sums;
  kernel.remainders = remainders_avx512;
  kernel.stores_part = true;
  kernel.takes_extras = true;
  return kernel;
}
}  // namespace

const GemmKernel gemm_u8s8_vnni = make_kernel();

}  // namespace lastbit
#include "kernels/isa/end.inc"
#endif
