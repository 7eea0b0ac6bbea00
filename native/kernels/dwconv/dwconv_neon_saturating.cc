// SPDX-License-Identifier: Apache-2.0
// u8 activations and s8 weights, pairs of products in saturating s16, as
// dwconv_avx2_saturating.cc.
#if defined(__aarch64__)
#include <arm_neon.h>

#include <cstring>

#include "cpu.h"
#include "kernels/dwconv/dwconv.h"
#include "kernels/isa/unroll.h"
// clang-format off
namespace lastbit {
namespace {
#include "kernels/isa/arch_neon_saturating.inc"
#include "kernels/requant/epilogue_neon.inc"
#include "kernels/dwconv/rows.inc"
// clang-format on

template <int NV>
constexpr DwBlock block() {
  return {NV, {}, {LASTBIT_FORMS(dwconv_row, NV, 1), {}}};
}
const DwBlock blocks[] = {block<4>(), block<2>()};

int32_t channel(int32_t, int32_t v, int32_t lane) { return v * 4 + lane; }
}  // namespace

const DwKernel dwconv_saturating_neon = {"dwconv_saturating_neon",
                                         "dwconv_saturating_neon",
                                         Arch::lanes,
                                         Arch::terms,
                                         Arch::operand_bytes,
                                         blocks,
                                         2,
                                         channel};

}  // namespace lastbit
#endif
