// SPDX-License-Identifier: Apache-2.0
#include "kernels/gemm/gemm.h"

#include "cpu.h"

namespace lastbit {

const GemmKernel* pick_gemm([[maybe_unused]] uint32_t cpu_flags) {
#define VARIANT(name, needs) \
  if ((cpu_flags & (needs)) == (needs)) return &name;
#include "kernels/gemm/variants.inc"
#undef VARIANT
  return nullptr;
}

const GemmKernel* pick_saturating_gemm([[maybe_unused]] uint32_t cpu_flags) {
#define VARIANT(name, needs) \
  if ((cpu_flags & (needs)) == (needs)) return &name;
#include "kernels/gemm/saturating_variants.inc"
#undef VARIANT
  return nullptr;
}

}  // namespace lastbit
