// SPDX-License-Identifier: Apache-2.0
// Additions as row kernels: by vectors where a variant computes the form exactly, else by a table
// of all pairs of 8-bit codes, else by the definition.
#pragma once
#include <cstdint>
#include <memory>

#include "kernels/row_kernel.h"
#include "program/program.h"

namespace lastbit {

// The definition, for any types.
std::unique_ptr<RowKernel> make_add_ref(const program::Add& add, const program::Tensor& a,
                                        const program::Tensor& b, const program::Tensor& output);

// The fastest that is exact on a CPU of these flags (cpu.h).
std::unique_ptr<RowKernel> make_add(const program::Add& add, const program::Tensor& a,
                                    const program::Tensor& b, const program::Tensor& output,
                                    uint32_t cpu_flags);

}  // namespace lastbit
