// SPDX-License-Identifier: Apache-2.0
// How a reference kernel sees an activation of any type. 8-bit codes are stored as memory/view.h
// says (u8, s8 offset by 128); s16 and s32 are stored as they are.
#pragma once
#include <cstddef>
#include <cstdint>

#include "memory/view.h"
#include "program/program.h"

namespace lastbit {

struct Image {
  uint8_t* data = nullptr;  // pixel (0, 0)
  int32_t height = 0, width = 0, channels = 0;
  ptrdiff_t row_bytes = 0;
  Pads halo;  // only 8-bit images have one
  program::CodeType type = program::CodeType::u8;

  size_t row_codes() const { return static_cast<size_t>(width) * static_cast<size_t>(channels); }
  uint8_t* row(int32_t y) const { return data + y * row_bytes; }
};

// As SIMD kernels see it; 8-bit images only.
inline View view_of(const Image& image) {
  return {image.data, image.height, image.width, image.channels, image.row_bytes, image.halo};
}

// `count` stored codes at `from` -> int32 codes.
void load_codes(program::CodeType type, const uint8_t* from, size_t count, int32_t* codes);
// int32 codes, each within the type -> stored.
void store_codes(program::CodeType type, const int32_t* codes, size_t count, uint8_t* to);

// Dense NHWC codes in the tensor's own type, as callers hold them, to rows [begin, end) of an image
// and from an image.
void copy_in(const uint8_t* dense, int32_t begin, int32_t end, const Image& image);
void copy_out(const Image& image, uint8_t* dense);

// Writes part `part` of `parts` of the halo: `zero_point` is a code of the image's type.
void fill_halo(const Image& image, int32_t zero_point, int32_t part, int32_t parts);

}  // namespace lastbit
