// SPDX-License-Identifier: Apache-2.0
// The definition of `add`, over rows of int32 codes.
#pragma once
#include <cstddef>
#include <cstdint>

#include "program/program.h"

namespace lastbit {

// y[i] = add(a[i], b[i]) for `count` codes. y may be a or b.
void add_ref(const program::Add& add, const program::Tensor& a_tensor,
             const program::Tensor& b_tensor, const program::Tensor& output, const int32_t* a,
             const int32_t* b, size_t count, int32_t* y);

}  // namespace lastbit
