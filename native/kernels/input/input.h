// SPDX-License-Identifier: Apache-2.0
// What a caller has instead of codes: reals or pixels, turned into the stored codes of a program's
// input. src/program/NOTES.md, "Real inputs". Plain code that compilers vectorize; rows are
// independent, so threads share them.
#pragma once
#include <cstdint>

#include "kernels/image.h"
#include "program/program.h"

namespace lastbit {

class InputQuantizer {
 public:
  InputQuantizer(const program::Tensor& tensor, program::InputRule rule);

  // Rows [begin, end) of `image` from f32 reals, NCHW of the image's size.
  // Returns false where one of them is no number; its code is then unspecified.
  bool quantize(const float* reals, int32_t begin, int32_t end, const Image& image) const;

 private:
  float factor_;  // the scale, or its inverse
  float least_, greatest_;
  int32_t zero_point_;
  program::InputRule rule_;
};

// Rows [begin, end) of `image` from u8 pixels, NHWC: pixel p of channel c is code
// table[c * 256 + p] of the image's type.
void map_pixels(const uint8_t* pixels, const int32_t* table, int32_t begin, int32_t end,
                const Image& image);

}  // namespace lastbit
