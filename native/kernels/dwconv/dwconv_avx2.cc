// SPDX-License-Identifier: Apache-2.0
// s16 operands and vpmaddwd, 16 channels at a time.
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
#include "kernels/isa/arch_avx2.inc"
#include "kernels/requant/epilogue.inc"
#define LASTBIT_HIGH_FORMS(function, ...) \
  function<__VA_ARGS__, Form::affine_high>, function<__VA_ARGS__, Form::double_rounding_high>
#include "kernels/dwconv/rows.inc"
// clang-format on

// Weights minus their zero point always fit s16, so there is one part only.
const DwBlock blocks[] = {
    {2,
     {{LASTBIT_FORMS(dwconv3x3_row, 2, 1, 1), {}}, {LASTBIT_FORMS(dwconv3x3_row, 2, 2, 1), {}}},
     {LASTBIT_FORMS(dwconv_row, 2, 1), {}}}};

int32_t channel(int32_t, int32_t v, int32_t lane) { return lane / 4 * 8 + v * 4 + lane % 4; }
}  // namespace

const DwKernel dwconv_s16_avx2 = {"dwconv3x3_s16_avx2",
                                  "dwconv_s16_avx2",
                                  Arch::lanes,
                                  Arch::terms,
                                  Arch::operand_bytes,
                                  blocks,
                                  1,
                                  channel,
                                  0,
                                  nullptr,
                                  s16_prescale};

}  // namespace lastbit
#include "kernels/isa/end.inc"
#endif
