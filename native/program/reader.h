// SPDX-License-Identifier: Apache-2.0
// Bounds-checked reading of the program format. Every failure is one exception type, which load()
// turns into its result; it never leaves program/.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "program/utf8.h"

namespace lastbit::program {

struct Malformed {
  std::string message;
  size_t offset;
};

class Reader {
 public:
  Reader(const uint8_t* bytes, size_t size) : bytes_(bytes), end_(size) {}

  size_t offset() const { return at_; }
  size_t remaining() const { return end_ - at_; }

  [[noreturn]] void fail(const std::string& message) const { throw Malformed{message, at_}; }
  [[noreturn]] static void fail_at(size_t offset, const std::string& message) {
    throw Malformed{message, offset};
  }

  const uint8_t* take(size_t count, const char* what) {
    if (count > remaining()) {
      fail(std::string(what) + " needs " + std::to_string(count) + " bytes, " +
           std::to_string(remaining()) + " are left");
    }
    const uint8_t* start = bytes_ + at_;
    at_ += count;
    return start;
  }

  template <class T>
  T scalar(const char* what) {
    static_assert(sizeof(T) == 4, "the format has no other lone scalars");
    T value;
    std::memcpy(&value, take(4, what), 4);
    return value;
  }
  uint32_t u32(const char* what) { return scalar<uint32_t>(what); }
  int32_t i32(const char* what) { return scalar<int32_t>(what); }
  float f32(const char* what) { return scalar<float>(what); }

  // A u32 in [least, greatest].
  uint32_t u32_in(const char* what, uint32_t least, uint32_t greatest) {
    const size_t start = at_;
    const uint32_t value = u32(what);
    check_range(start, what, value, least, greatest);
    return value;
  }
  int32_t i32_in(const char* what, int32_t least, int32_t greatest) {
    const size_t start = at_;
    const int32_t value = i32(what);
    check_range(start, what, value, least, greatest);
    return value;
  }
  // An enumeration of `count` values, numbered from 0.
  template <class Enum>
  Enum enumeration(const char* what, uint32_t count) {
    return static_cast<Enum>(u32_in(what, 0, count - 1));
  }
  // A positive, finite float32.
  float scale(const char* what) {
    const size_t start = at_;
    const float value = f32(what);
    check_scale(start, what, value);
    return value;
  }

  // Count and elements of an array, viewed in place; the padding to 4 bytes must be zero.
  template <class T>
  const T* view(const char* what, size_t* count) {
    static_assert(alignof(T) <= 4, "arrays start at multiples of 4");
    return reinterpret_cast<const T*>(elements(what, sizeof(T), count));
  }
  template <class T>
  std::vector<T> array(const char* what) {
    size_t count;
    const uint8_t* start = elements(what, sizeof(T), &count);
    std::vector<T> values(count);
    if (count != 0) std::memcpy(values.data(), start, count * sizeof(T));
    return values;
  }
  std::string str(const char* what) {
    size_t count;
    const uint8_t* start = view<uint8_t>(what, &count);
    if (!is_utf8(start, count)) fail(std::string(what) + " is not UTF-8");
    return std::string(reinterpret_cast<const char*>(start), count);
  }

  static void check_scale(size_t offset, const char* what, float value) {
    if (value > 0 && value <= std::numeric_limits<float>::max()) return;
    fail_at(offset,
            std::string(what) + " must be positive and finite, got " + std::to_string(value));
  }
  static void check_range(size_t offset, const char* what, int64_t value, int64_t least,
                          int64_t greatest) {
    if (value >= least && value <= greatest) return;
    fail_at(offset, std::string(what) + " must be in [" + std::to_string(least) + ", " +
                        std::to_string(greatest) + "], got " + std::to_string(value));
  }

 private:
  const uint8_t* elements(const char* what, size_t element_bytes, size_t* count) {
    *count = u32(what);
    if (*count > remaining() / element_bytes) {
      at_ -= 4;
      fail(std::string(what) + " claims " + std::to_string(*count) +
           " elements, more than the bytes left");
    }
    const uint8_t* start = take(*count * element_bytes, what);
    skip_padding(*count * element_bytes, what);
    return start;
  }

  void skip_padding(size_t written, const char* what) {
    const size_t padding = (4 - written % 4) % 4;
    const uint8_t* start = take(padding, what);
    for (size_t i = 0; i < padding; ++i) {
      if (start[i] != 0) fail(std::string(what) + " is padded with bytes other than zero");
    }
  }

  const uint8_t* bytes_;
  size_t at_ = 0;
  size_t end_;
};

}  // namespace lastbit::program
