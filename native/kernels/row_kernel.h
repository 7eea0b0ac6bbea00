// SPDX-License-Identifier: Apache-2.0
// The seam between the executor and the kernels that write one output row at a time, in any order:
// the executor knows buffers and threads, a RowKernel its operation.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

#include "kernels/image.h"
#include "memory/aligned.h"

namespace lastbit {

// What one operation reads and writes: images in the order of its inputs.
struct OpImages {
  const Image* const* inputs;
  const Image* output;
};

// Immutable, shared by threads.
class RowKernel {
 public:
  virtual ~RowKernel() = default;
  // Family and tier, for reports: "add_ref".
  virtual const char* name() const = 0;
  // Bytes of scratch for row(), 64-byte aligned.
  virtual size_t scratch_bytes() const { return 0; }
  // Writes output row y; never its halo.
  virtual void row(const OpImages& images, int32_t y, uint8_t* scratch) const = 0;
};

// Bytes of scratch that a row of int32 codes takes.
inline size_t row_scratch(const program::Tensor& tensor) {
  return round_up(static_cast<size_t>(tensor.width) * static_cast<size_t>(tensor.channels) * 4, 64);
}

}  // namespace lastbit
