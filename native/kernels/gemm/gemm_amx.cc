// SPDX-License-Identifier: Apache-2.0
// u8 activations and s8 weights, tdpbusd: 16 rows times 16 channels and 64 terms an instruction.
#include "cpu.h"
#if LASTBIT_KNOWS_AMX
#include <algorithm>
#include <cstring>
#include <new>

#include "kernels/gemm/gemm.h"
#include "kernels/isa/intrinsics.h"
#include "kernels/isa/unroll.h"
// clang-format off
#include "kernels/isa/begin_amx.inc"
namespace lastbit {
namespace {
#include "kernels/isa/arch_vnni.inc"
#include "kernels/requant/epilogue.inc"
#include "kernels/gemm/multiply_broadcast.inc"
#include "kernels/gemm/tile.inc"
#include "kernels/gemm/row_sums_avx512.inc"
#include "kernels/gemm/tile_amx.inc"
// clang-format on

// Two by two registers of sums. Single rows, and images of one pixel, which read their weights
// once, take vpdpbusd: what a panel holds is in the order that both want.
const TileShape shapes[] = {amx_tile_shape<2>(), amx_tile_shape<1>(), tile_shape<1, 4>(),
                            tile_shape<1, 2>(), tile_shape<1, 1>()};

constexpr GemmKernel make_kernel() {
  GemmKernel kernel = gemm_kernel("gemm_u8s8_amx", shapes);
  kernel.row_sums = row_sums;
  kernel.remainders = remainders_avx512;
  kernel.stores_part = true;
  kernel.takes_extras = true;
  kernel.most_step = amx_rows;
  // V2: 16 terms to 96 channels, 142 us by VNNI and 163 by AMX; 24 to 144, 74 and 73.
  kernel.least_groups = 8;
  kernel.instead = &gemm_u8s8_vnni;
  kernel.state = &amx_run_state;
  kernel.repeats_rows = true;  // setting up registers takes as long as five products
  return kernel;
}
}  // namespace

const GemmKernel gemm_u8s8_amx = make_kernel();

}  // namespace lastbit
#include "kernels/isa/end.inc"
#endif
