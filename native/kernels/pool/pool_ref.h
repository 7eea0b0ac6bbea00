// SPDX-License-Identifier: Apache-2.0
// The definitions of average and max pooling.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

#include "kernels/requant/finish.h"
#include "kernels/row_kernel.h"
#include "program/program.h"

namespace lastbit {

// Bytes of scratch that either needs for an input and an output of these shapes, 64-byte aligned.
size_t pool_scratch_bytes(const program::Tensor& input, const program::Tensor& output);

// Writes output row y. `finish` is used by the `requant` form alone.
void average_pool_ref(const program::AveragePool& pool, const Finish& finish,
                      const program::Tensor& input, const program::Tensor& output, const Image& in,
                      const Image& out, int32_t y, uint8_t* scratch);
void max_pool_ref(const program::MaxPool& pool, const Image& in, const Image& out, int32_t y,
                  uint8_t* scratch);

// The same as row kernels.
std::unique_ptr<RowKernel> make_average_pool_ref(const program::AveragePool& pool,
                                                 const program::Tensor& input,
                                                 const program::Tensor& output);
std::unique_ptr<RowKernel> make_max_pool_ref(const program::MaxPool& pool,
                                             const program::Tensor& input,
                                             const program::Tensor& output);

}  // namespace lastbit
