// SPDX-License-Identifier: Apache-2.0
// u8 activations and s8 weights, vpdpbusd; 64 channels at a time, then 32 and 16.
#if defined(__x86_64__) || defined(_M_X64)
#include <cstring>

#include "cpu.h"
#include "kernels/dwconv/dwconv.h"
#include "kernels/isa/intrinsics.h"
#include "kernels/isa/unroll.h"
// clang-format off
#include "kernels/isa/begin_vnni.inc"
namespace lastbit {
namespace {
#include "kernels/isa/arch_vnni.inc"
#include "kernels/requant/epilogue.inc"
#define LASTBIT_FLOOR_FORMS(function, ...) \
  function<__VA_ARGS__, Form::floor_f32>, function<__VA_ARGS__, Form::floor_f32_signs>
#include "kernels/dwconv/rows.inc"
#include "kernels/dwconv/channels512.inc"
// clang-format on

template <int NV>
constexpr DwBlock block() {
  return {NV,
          {{LASTBIT_FORMS(dwconv3x3_row, NV, 1, 1), LASTBIT_FORMS(dwconv3x3_row, NV, 1, 2)},
           {LASTBIT_FORMS(dwconv3x3_row, NV, 2, 1), LASTBIT_FORMS(dwconv3x3_row, NV, 2, 2)}},
          {LASTBIT_FORMS(dwconv_row, NV, 1), LASTBIT_FORMS(dwconv_row, NV, 2)},
          LASTBIT_FORMS(dwconv3x3_two_rows, NV)};
}
const DwBlock blocks[] = {block<4>(), block<2>(), block<1>()};
}  // namespace

const DwKernel dwconv_u8s8_vnni = {"dwconv3x3_u8s8_vnni",
                                   "dwconv_u8s8_vnni",
                                   Arch::lanes,
                                   Arch::terms,
                                   Arch::operand_bytes,
                                   blocks,
                                   3,
                                   channel,
                                   0,
                                   remainders_avx512,
                                   no_high_forms,
                                   true};

}  // namespace lastbit
#include "kernels/isa/end.inc"
#endif
