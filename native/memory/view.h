// SPDX-License-Identifier: Apache-2.0
// How a kernel sees an activation.
#pragma once
#include <cstddef>
#include <cstdint>

namespace lastbit {

// Rows above, columns to the left, rows below, columns to the right.
struct Pads {
  int32_t top = 0, left = 0, bottom = 0, right = 0;
};

// One 8-bit image, NHWC. Codes are *stored* as u8 whatever their type: stored = code for u8,
// code + 128 for s8, so one set of kernels serves both (VNNI multiplies u8 by s8). Zero points and
// clamps given to kernels are in the stored domain too.
//
// `data` is pixel (0, 0). Pixels of a row are `channels` bytes apart, rows `row_stride` bytes.
// Around the image there are `halo` rows and columns of readable bytes that hold the stored zero
// point, so that a padded convolution needs no bounds checks. Past the last byte of the buffer 64
// more bytes are readable (written by nobody while the image lives).
struct View {
  uint8_t* data = nullptr;
  int32_t height = 0, width = 0, channels = 0;
  ptrdiff_t row_stride = 0;
  Pads halo;
};

}  // namespace lastbit
