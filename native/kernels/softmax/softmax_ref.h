// SPDX-License-Identifier: Apache-2.0
// The definition of `softmax`, over the channels of each pixel.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "kernels/row_kernel.h"
#include "program/program.h"

namespace lastbit {

class SoftmaxRef {
 public:
  SoftmaxRef(const program::Softmax& softmax, const program::Tensor& output);

  // y = softmax(x); codes of the input and of the output.
  void run(const int32_t* x, size_t channels, int32_t* y) const;

 private:
  void fill(const program::SoftmaxGemmlowp& form, const int32_t* x, size_t channels, int32_t max,
            int32_t* y) const;
  void fill(const program::SoftmaxTable& form, const int32_t* x, size_t channels, int32_t max,
            int32_t* y) const;
  void fill(const program::SoftmaxWide& form, const int32_t* x, size_t channels, int32_t max,
            int32_t* y) const;

  program::Softmax softmax_;
  int32_t least_, greatest_, zero_point_;  // of the output's codes
  // gemmlowp: exp(-d) for each difference d = max - x that counts, -1 for the others.
  std::array<int32_t, 256> exp_{};
};

std::unique_ptr<RowKernel> make_softmax_ref(const program::Softmax& softmax,
                                            const program::Tensor& output);

}  // namespace lastbit
