// SPDX-License-Identifier: Apache-2.0
// Whether bytes are UTF-8 as RFC 3629 defines it, section 4: no overlong forms, no surrogates,
// nothing above U+10FFFF.
#pragma once
#include <cstddef>
#include <cstdint>

namespace lastbit::program {

// Bytes of the character that starts at `s`, of which `left` bytes remain; 0 if it is malformed.
constexpr size_t utf8_length(const uint8_t* s, size_t left) {
  const uint8_t first = s[0];
  if (first < 0x80) return 1;
  const size_t length = first < 0xc2   ? 0
                        : first < 0xe0 ? 2
                        : first < 0xf0 ? 3
                        : first < 0xf5 ? 4
                                       : 0;
  if (length == 0 || length > left) return 0;
  // Only the second byte has a range that depends on the first.
  const uint8_t least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const uint8_t greatest = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (s[1] < least || s[1] > greatest) return 0;
  for (size_t i = 2; i < length; ++i) {
    if (s[i] < 0x80 || s[i] > 0xbf) return 0;
  }
  return length;
}

constexpr bool is_utf8(const uint8_t* s, size_t count) {
  for (size_t at = 0; at < count;) {
    const size_t length = utf8_length(s + at, count - at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

}  // namespace lastbit::program
