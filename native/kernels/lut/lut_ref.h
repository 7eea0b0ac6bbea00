// SPDX-License-Identifier: Apache-2.0
// The definition of `lut`: one code in, one code out, by a table of all codes of the input's type.
#pragma once
#include <memory>

#include "kernels/row_kernel.h"
#include "program/program.h"

namespace lastbit {

// 256 entries for an input of 8 bits, 65,536 for one of 16; any type of output.
std::unique_ptr<RowKernel> make_lut_ref(const program::Lut& lut, const program::Tensor& input,
                                        const program::Tensor& output);

}  // namespace lastbit
