// SPDX-License-Identifier: Apache-2.0
// The definition of `mul`: the product of two activations, element by element, or of an image and
// one value a channel (a gate).
#pragma once
#include <memory>

#include "kernels/row_kernel.h"
#include "program/program.h"

namespace lastbit {

// y = finish((a - zero point of a) * (b - zero point of b), channel), for any types.
std::unique_ptr<RowKernel> make_mul_ref(const program::Mul& mul, const program::Tensor& a,
                                        const program::Tensor& b, const program::Tensor& output);

}  // namespace lastbit
