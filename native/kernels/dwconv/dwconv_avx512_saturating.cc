// SPDX-License-Identifier: Apache-2.0
// u8 activations and s8 weights, pairs of products in saturating s16, in the order of the taps; see
// dwconv_avx2_saturating.cc.
#if defined(__x86_64__) || defined(_M_X64)
#include <cstring>

#include "cpu.h"
#include "kernels/dwconv/dwconv.h"
#include "kernels/isa/intrinsics.h"
#include "kernels/isa/unroll.h"
// clang-format off
#include "kernels/isa/begin_avx512.inc"
namespace lastbit {
namespace {
#include "kernels/isa/arch_avx512_saturating.inc"
#include "kernels/requant/epilogue.inc"
#define LASTBIT_FLOOR_FORMS(function, ...) \
  function<__VA_ARGS__, Form::floor_f32>, function<__VA_ARGS__, Form::floor_f32_signs>
#include "kernels/dwconv/rows.inc"
#include "kernels/dwconv/channels512.inc"
// clang-format on

template <int NV>
constexpr DwBlock block() {
  return {NV, {}, {LASTBIT_FORMS(dwconv_row, NV, 1), {}}};
}
const DwBlock blocks[] = {block<4>(), block<2>(), block<1>()};
}  // namespace

const DwKernel dwconv_saturating_avx512 = {"dwconv_saturating_avx512",
                                           "dwconv_saturating_avx512",
                                           Arch::lanes,
                                           Arch::terms,
                                           Arch::operand_bytes,
                                           blocks,
                                           3,
                                           channel,
                                           0,
                                           remainders_avx512};

}  // namespace lastbit
#include "kernels/isa/end.inc"
#endif
