// SPDX-License-Identifier: Apache-2.0
#include "kernels/image.h"

#include <algorithm>
#include <cstring>

#include "threads/split.h"

namespace lastbit {

using program::CodeType;

namespace {

template <class Stored>
void load_as(const uint8_t* from, size_t count, int32_t offset, int32_t* codes) {
  const Stored* stored = reinterpret_cast<const Stored*>(from);
  for (size_t i = 0; i < count; ++i) codes[i] = stored[i] - offset;
}

template <class Stored>
void store_as(const int32_t* codes, size_t count, int32_t offset, uint8_t* to) {
  Stored* stored = reinterpret_cast<Stored*>(to);
  for (size_t i = 0; i < count; ++i) stored[i] = static_cast<Stored>(codes[i] + offset);
}

// code + 128 as u8 is the code's byte with its top bit flipped, in both directions.
void flip_top_bits(const uint8_t* from, size_t count, uint8_t* to) {
  for (size_t i = 0; i < count; ++i) to[i] = from[i] ^ 0x80;
}

void copy_row(CodeType type, const uint8_t* from, size_t bytes, uint8_t* to) {
  if (type == CodeType::s8) {
    flip_top_bits(from, bytes, to);
  } else {
    std::memcpy(to, from, bytes);
  }
}

}  // namespace

void load_codes(CodeType type, const uint8_t* from, size_t count, int32_t* codes) {
  switch (type) {
    case CodeType::u8:
    case CodeType::s8:
      return load_as<uint8_t>(from, count, program::stored_offset(type), codes);
    case CodeType::s16:
      return load_as<int16_t>(from, count, 0, codes);
    case CodeType::s32:
      return load_as<int32_t>(from, count, 0, codes);
  }
}

void store_codes(CodeType type, const int32_t* codes, size_t count, uint8_t* to) {
  switch (type) {
    case CodeType::u8:
    case CodeType::s8:
      return store_as<uint8_t>(codes, count, program::stored_offset(type), to);
    case CodeType::s16:
      return store_as<int16_t>(codes, count, 0, to);
    case CodeType::s32:
      return store_as<int32_t>(codes, count, 0, to);
  }
}

void copy_in(const uint8_t* dense, int32_t begin, int32_t end, const Image& image) {
  const size_t bytes = image.row_codes() * program::code_bytes(image.type);
  for (int32_t y = begin; y < end; ++y) {
    copy_row(image.type, dense + static_cast<size_t>(y) * bytes, bytes, image.row(y));
  }
}

void copy_out(const Image& image, uint8_t* dense) {
  const size_t bytes = image.row_codes() * program::code_bytes(image.type);
  for (int32_t y = 0; y < image.height; ++y) {
    copy_row(image.type, image.row(y), bytes, dense + static_cast<size_t>(y) * bytes);
  }
}

void fill_halo(const Image& image, int32_t zero_point, int32_t part, int32_t parts) {
  const Pads& h = image.halo;
  if (h.top == 0 && h.left == 0 && h.bottom == 0 && h.right == 0) return;
  const int value = zero_point + program::stored_offset(image.type);
  const size_t row = static_cast<size_t>(image.row_bytes);
  const size_t left = static_cast<size_t>(h.left) * static_cast<size_t>(image.channels);
  const size_t right = static_cast<size_t>(h.right) * static_cast<size_t>(image.channels);
  // Memory is [top rows][left, row 0, right][left, row 1, right]...[bottom rows], so the right edge
  // of a row and the left edge of the next one are one run.
  const int32_t begin = threads::part_begin(image.height, part, parts);
  const int32_t end = threads::part_begin(image.height, part + 1, parts);
  const int32_t last = image.height - 1;
  if (part == 0) {
    std::memset(image.row(-h.top) - left, value, static_cast<size_t>(h.top) * row + left);
  }
  for (int32_t y = begin; y < std::min(end, last); ++y) {
    std::memset(image.row(y) + image.row_codes(), value, right + left);
  }
  if (part + 1 == parts) {
    std::memset(image.row(last) + image.row_codes(), value,
                right + static_cast<size_t>(h.bottom) * row);
  }
}

}  // namespace lastbit
