// SPDX-License-Identifier: Apache-2.0
// What the checks of row kernels share: random images between unreadable pages, and a comparison of
// every output code with a definition that is given as a function of its place.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "kernels/check.h"
#include "kernels/row_kernel.h"

namespace lastbit::check {

// A dense image of random codes, among them both ends of the type.
class TestImage {
 public:
  TestImage(Noise& noise, const program::Tensor& tensor);
  const Image& image() const { return image_; }
  int32_t at(int32_t y, int32_t x, int32_t c) const;
  // The i-th code in the order of NHWC.
  int32_t at(size_t i) const;

 private:
  std::unique_ptr<Guarded> memory_;
  Image image_;
};

program::Tensor random_tensor(Noise& noise, program::CodeType type);

using Definition = std::function<int32_t(int32_t y, int32_t x, int32_t c)>;

// Runs rows of `kernel` in any order, each once, with scratch of exactly the size it asks for, and
// compares. The output is noise at first.
void compare_rows(Check& check, const char* variant, const RowKernel& kernel,
                  const std::vector<const TestImage*>& inputs, const program::Tensor& output,
                  Noise& noise, const Definition& definition);

}  // namespace lastbit::check
