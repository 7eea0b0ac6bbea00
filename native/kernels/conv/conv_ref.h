// SPDX-License-Identifier: Apache-2.0
// The definition of a convolution: any kernel, stride, dilation, padding, grouping, type and
// accumulator. Channels whose accumulator provably cannot overflow are summed in plain int32; the
// others in the specification's order, every addition through the target's overflow.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

#include "kernels/image.h"
#include "program/program.h"

namespace lastbit {

// An accumulator that left its range, where the program asks for a trap.
struct TrapSite {
  int64_t element = -1;  // NHWC index of the output; -1: none
  int64_t value = 0;     // exact
};

class ConvRef {
 public:
  virtual ~ConvRef() = default;
  // Bytes of scratch for run(), 64-byte aligned.
  virtual size_t scratch_bytes() const = 0;
  // Computes output rows [row_begin, row_end); needs no halo. False at the first trap, which `trap`
  // then tells; rows before it are written.
  virtual bool run(const Image& in, const Image& out, int32_t row_begin, int32_t row_end,
                   uint8_t* scratch, TrapSite* trap) const = 0;
  virtual const char* name() const = 0;
};

// Copies the weights it needs.
std::unique_ptr<ConvRef> make_conv_ref(const program::Conv& conv, const program::Tensor& input,
                                       const program::Tensor& output);

}  // namespace lastbit
