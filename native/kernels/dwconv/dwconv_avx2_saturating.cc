// SPDX-License-Identifier: Apache-2.0
// u8 activations and s8 weights, pairs of products in saturating s16. Taps keep their order, which
// rows of whole columns do not: no rows3x3.
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
#include "kernels/isa/arch_avx2_saturating.inc"
#include "kernels/requant/epilogue.inc"
#include "kernels/dwconv/rows.inc"
// clang-format on

template <int NV>
constexpr DwBlock block() {
  return {NV, {}, {LASTBIT_FORMS(dwconv_row, NV, 1), {}}};
}
const DwBlock blocks[] = {block<4>(), block<2>()};

int32_t channel(int32_t vectors, int32_t v, int32_t lane) {
  return lane / 4 * (4 * vectors) + v * 4 + lane % 4;
}
}  // namespace

const DwKernel dwconv_saturating_avx2 = {"dwconv_saturating_avx2",
                                         "dwconv_saturating_avx2",
                                         Arch::lanes,
                                         Arch::terms,
                                         Arch::operand_bytes,
                                         blocks,
                                         2,
                                         channel};

}  // namespace lastbit
#include "kernels/isa/end.inc"
#endif
