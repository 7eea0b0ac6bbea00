// SPDX-License-Identifier: Apache-2.0
// s16 operands and SMLAL, 8 channels at a time.
#if defined(__aarch64__)
#include <arm_neon.h>

#include <cstring>

#include "cpu.h"
#include "kernels/dwconv/dwconv.h"
#include "kernels/isa/unroll.h"
// clang-format off
namespace lastbit {
namespace {
#include "kernels/isa/arch_neon_words.inc"
#include "kernels/requant/epilogue_neon.inc"
#include "kernels/dwconv/rows.inc"
// clang-format on

// Weights minus their zero point always fit s16, so there is one part only.
const DwBlock blocks[] = {
    {2,
     {{LASTBIT_FORMS(dwconv3x3_row, 2, 1, 1), {}}, {LASTBIT_FORMS(dwconv3x3_row, 2, 2, 1), {}}},
     {LASTBIT_FORMS(dwconv_row, 2, 1), {}}}};

int32_t channel(int32_t, int32_t v, int32_t lane) { return v * 4 + lane; }
}  // namespace

const DwKernel dwconv_s16_neon = {"dwconv3x3_s16_neon",
                                  "dwconv_s16_neon",
                                  Arch::lanes,
                                  Arch::terms,
                                  Arch::operand_bytes,
                                  blocks,
                                  1,
                                  channel,
                                  0};

}  // namespace lastbit
#endif
