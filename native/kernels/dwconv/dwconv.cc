// SPDX-License-Identifier: Apache-2.0
#include "kernels/dwconv/dwconv.h"

#include "cpu.h"

namespace lastbit {

const DwKernel* pick_dwconv([[maybe_unused]] uint32_t cpu_flags) {
#define VARIANT(name, needs) \
  if ((cpu_flags & (needs)) == (needs)) return &name;
#include "kernels/dwconv/variants.inc"
#undef VARIANT
  return nullptr;
}

const DwKernel* pick_saturating_dwconv([[maybe_unused]] uint32_t cpu_flags) {
#define VARIANT(name, needs) \
  if ((cpu_flags & (needs)) == (needs)) return &name;
#include "kernels/dwconv/saturating_variants.inc"
#undef VARIANT
  return nullptr;
}

}  // namespace lastbit
