// SPDX-License-Identifier: Apache-2.0
// The definitions of the operations that move codes and compute nothing: types, and so the offsets
// of stored codes, of all sides are equal.
#pragma once
#include <cstddef>
#include <memory>

#include "kernels/row_kernel.h"
#include "program/program.h"

namespace lastbit {

// Channels of `inputs` images one after the other.
std::unique_ptr<RowKernel> make_concat_ref(size_t inputs);
// Rows and columns of the zero point around an image.
std::unique_ptr<RowKernel> make_pad_ref(const program::Pad& pad, const program::Tensor& output);
// Of each `period` codes in the output's order, the first `from` of the first input, the others of
// the second.
std::unique_ptr<RowKernel> make_splice_ref(const program::Splice& splice);
// The same codes in the same order under another shape: rows of the two do not match, so it runs
// whole.
void reshape_ref(const Image& in, const Image& out);

}  // namespace lastbit
