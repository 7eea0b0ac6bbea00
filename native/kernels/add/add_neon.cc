// SPDX-License-Identifier: Apache-2.0
// 128-bit vectors; look-ups one by one.
#if defined(__aarch64__)
#include <arm_neon.h>

#include <cstring>

#include "cpu.h"
#include "kernels/add/add.h"
#include "kernels/isa/unroll.h"
// clang-format off
namespace lastbit {
namespace {
#include "kernels/isa/arch_neon.inc"
#include "kernels/requant/epilogue_neon.inc"
#include "kernels/add/rows.inc"
// clang-format on
}  // namespace

const AddKernel add_u8_neon = {
    "add_u8_neon",
    Arch::lanes,
    {add_row<AddFinish::affine>, add_row<AddFinish::affine_preshift>,
     add_row<AddFinish::double_rounding>, add_row<AddFinish::shift>, add_row<AddFinish::f32>,
     add_row<AddFinish::f32_divide>, add_row<AddFinish::line>}};

}  // namespace lastbit
#endif
