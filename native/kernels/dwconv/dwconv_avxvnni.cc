// SPDX-License-Identifier: Apache-2.0
// u8 activations and s8 weights, the VEX form of vpdpbusd; 32 channels at a time, then 16.
#if defined(__x86_64__) || defined(_M_X64)
#include <cstring>

#include "cpu.h"
#include "kernels/dwconv/dwconv.h"
#include "kernels/isa/intrinsics.h"
#include "kernels/isa/unroll.h"
// clang-format off
#include "kernels/isa/begin_avx2.inc"
namespace lastbit {
namespace {
#include "kernels/isa/arch_avxvnni.inc"
#include "kernels/requant/epilogue.inc"
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

int32_t channel(int32_t vectors, int32_t v, int32_t lane) {
  return lane / 4 * (4 * vectors) + v * 4 + lane % 4;
}
}  // namespace

const DwKernel dwconv_u8s8_avxvnni = {"dwconv3x3_u8s8_avxvnni",
                                      "dwconv_u8s8_avxvnni",
                                      Arch::lanes,
                                      Arch::terms,
                                      Arch::operand_bytes,
                                      blocks,
                                      2,
                                      channel};

}  // namespace lastbit
#include "kernels/isa/end.inc"
#endif
