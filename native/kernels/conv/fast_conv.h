// SPDX-License-Identifier: Apache-2.0
// The seam between the executor and the SIMD convolutions: the executor knows buffers and threads,
// a FastConv knows weights and instructions.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

#include "memory/view.h"
#include "program/ranges.h"

namespace lastbit {

namespace program {
struct Conv;    // program/program.h: a checked convolution, as loaded
struct Tensor;  // its input and output tensors (type, shape, zero point)
}  // namespace program

// Part of a layer that one thread does: output rows [row_begin, row_end) and, of each pixel, the
// output channels of panels [panel_begin, panel_end). Any partition gives the same bytes.
struct Slice {
  int32_t row_begin, row_end, panel_begin, panel_end;
};

// A convolution whose weights are packed and whose path is chosen. Immutable, shared by threads.
class FastConv {
 public:
  virtual ~FastConv() = default;
  program::Range accumulators;  // what they can reach, 0 among it
  // Halo that the input view must have around its image.
  virtual Pads input_halo() const = 0;
  // Bytes of scratch a thread must hand to run(), 64-byte aligned.
  virtual size_t scratch_bytes() const = 0;
  virtual int32_t panel_count() const = 0;
  // True if splitting by panels beats splitting by rows (small images, many channels).
  virtual bool split_by_panel() const = 0;
  // Writes the slice's pixels of `out`; never its halo.
  virtual void run(const View& in, const View& out, const Slice& slice, uint8_t* scratch) const = 0;
  // For reports: family and tier, for example "gemm_u8s8_vnni".
  virtual const char* name() const = 0;
};

// nullptr if no SIMD path of `cpu_flags` (cpu.h) computes this convolution exactly: the executor
// then runs the reference. Exactness is decided here from ranges recomputed from the weights.
std::unique_ptr<FastConv> make_fast_conv(const program::Conv& conv, const program::Tensor& input,
                                         const program::Tensor& output, uint32_t cpu_flags);

}  // namespace lastbit
