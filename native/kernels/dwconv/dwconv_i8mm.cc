// SPDX-License-Identifier: Apache-2.0
// u8 activations and s8 weights, USDOT; 16 channels at a time, then 8.
#if defined(__aarch64__)
#include <arm_neon.h>

#include <cstring>

#include "cpu.h"
#include "kernels/dwconv/dwconv.h"
#include "kernels/isa/unroll.h"
// clang-format off
#include "kernels/isa/begin_i8mm.inc"
namespace lastbit {
namespace {
#include "kernels/isa/arch_i8mm.inc"
#include "kernels/requant/epilogue_neon.inc"
#include "kernels/dwconv/rows.inc"
// clang-format on

template <int NV>
constexpr DwBlock block() {
  return {NV,
          {{LASTBIT_FORMS(dwconv3x3_row, NV, 1, 1), LASTBIT_FORMS(dwconv3x3_row, NV, 1, 2)},
           {LASTBIT_FORMS(dwconv3x3_row, NV, 2, 1), LASTBIT_FORMS(dwconv3x3_row, NV, 2, 2)}},
          {LASTBIT_FORMS(dwconv_row, NV, 1), LASTBIT_FORMS(dwconv_row, NV, 2)}};
}
const DwBlock blocks[] = {block<4>(), block<2>()};

int32_t channel(int32_t, int32_t v, int32_t lane) { return v * 4 + lane; }
}  // namespace

const DwKernel dwconv_u8s8_i8mm = {"dwconv3x3_u8s8_i8mm",
                                   "dwconv_u8s8_i8mm",
                                   Arch::lanes,
                                   Arch::terms,
                                   Arch::operand_bytes,
                                   blocks,
                                   2,
                                   channel,
                                   0};

}  // namespace lastbit
#include "kernels/isa/end.inc"
#endif
