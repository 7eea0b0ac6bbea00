// SPDX-License-Identifier: Apache-2.0
// The definition of `softmax`, over the channels of one pixel.
#pragma once
#include <cstddef>
#include <cstdint>

#include "program/program.h"

namespace lastbit {

// y = softmax(x); codes of the input and of `output`.
void softmax_ref(const program::Softmax& softmax, const program::Tensor& output, const int32_t* x,
                 size_t channels, int32_t* y);

}  // namespace lastbit
