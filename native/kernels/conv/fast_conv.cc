// SPDX-License-Identifier: Apache-2.0
#include "kernels/conv/fast_conv.h"

#include "program/program.h"

namespace lastbit {

std::unique_ptr<FastConv> make_fast_conv(const program::Conv&, const program::Tensor&,
                                         const program::Tensor&, uint32_t) {
  return nullptr;
}

}  // namespace lastbit
