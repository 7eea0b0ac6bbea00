// SPDX-License-Identifier: Apache-2.0
// 256-bit vectors; look-ups by vpgatherdd.
#if defined(__x86_64__) || defined(_M_X64)
#include <cstring>

#include "cpu.h"
#include "kernels/add/add.h"
#include "kernels/isa/intrinsics.h"
#include "kernels/isa/unroll.h"
// clang-format off
#include "kernels/isa/begin_avx2.inc"
namespace lastbit {
namespace {
#include "kernels/isa/arch_avx2.inc"
#include "kernels/requant/epilogue.inc"
#include "kernels/add/rows.inc"
// clang-format on
}  // namespace

const AddKernel add_u8_avx2 = {
    "add_u8_avx2",
    Arch::lanes,
    {add_row<AddFinish::affine>, add_row<AddFinish::affine_preshift>,
     add_row<AddFinish::double_rounding>, add_row<AddFinish::shift>, add_row<AddFinish::f32>,
     add_row<AddFinish::f32_divide>, add_row<AddFinish::line>}};

}  // namespace lastbit
#include "kernels/isa/end.inc"
#endif
