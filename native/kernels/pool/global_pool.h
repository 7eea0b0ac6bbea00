// SPDX-License-Identifier: Apache-2.0
// Average pooling of a whole 8-bit image to one pixel, by plain code that compilers vectorize well:
// the sums cost a hundredth of a convolution, so no variants by instruction set.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels/requant/finish.h"
#include "memory/view.h"
#include "program/program.h"

namespace lastbit {

class GlobalPool {
 public:
  // Whether the window is the whole image without padding, and types fit.
  static bool fits(const program::AveragePool& pool, const program::Tensor& input,
                   const program::Tensor& output);
  // fits() must hold.
  GlobalPool(const program::AveragePool& pool, const program::Tensor& input,
             const program::Tensor& output);

  // Bytes of scratch for run(), 64-byte aligned.
  size_t scratch_bytes() const;
  // Into how many parts the work divides: portions of channels, where all are finished alike.
  int32_t parts() const { return parts_; }
  void run(const View& in, const View& out, int32_t part_begin, int32_t part_end,
           uint8_t* scratch) const;

 private:
  void divide(size_t channels, int32_t* sums) const;

  program::AveragePool pool_;
  Finish finish_;  // of the `requant` form
  int32_t pixels_, channels_, parts_;
  int32_t in_offset_, out_offset_, zero_point_;  // stored offsets; zero point of the input's codes
};

}  // namespace lastbit
