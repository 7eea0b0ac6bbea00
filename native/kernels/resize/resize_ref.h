// SPDX-License-Identifier: Apache-2.0
// The definition of `resize`: each output code between the four of the input that it lies between.
#pragma once
#include <memory>

#include "kernels/row_kernel.h"
#include "program/program.h"

namespace lastbit {

std::unique_ptr<RowKernel> make_resize_ref(const program::Resize& resize,
                                           const program::Tensor& input,
                                           const program::Tensor& output);

}  // namespace lastbit
