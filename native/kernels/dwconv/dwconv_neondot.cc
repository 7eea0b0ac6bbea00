// SPDX-License-Identifier: Apache-2.0
// s8 activations (stored ones less 128) and s8 weights, SDOT; 16 channels at a time, then 8.
#if defined(__aarch64__)
#include <arm_neon.h>

#include <cstring>

#include "cpu.h"
#include "kernels/dwconv/dwconv.h"
#include "kernels/isa/unroll.h"
// clang-format off
#include "kernels/isa/begin_neondot.inc"
namespace lastbit {
namespace {
#include "kernels/isa/arch_neondot.inc"
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

const DwKernel dwconv_s8_neondot = {"dwconv3x3_s8_neondot",
                                    "dwconv_s8_neondot",
                                    Arch::lanes,
                                    Arch::terms,
                                    Arch::operand_bytes,
                                    blocks,
                                    2,
                                    channel,
                                    128};

}  // namespace lastbit
#include "kernels/isa/end.inc"
#endif
