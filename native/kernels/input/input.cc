// SPDX-License-Identifier: Apache-2.0
#include "kernels/input/input.h"

#include <algorithm>
#include <cstddef>

namespace lastbit {

using program::InputRule;

namespace {

constexpr int32_t block = 256;  // pixels of one channel at a time

// Codes have at most 16 bits, so |v| <= 2^17 after the clamp. Its bounds are integers: clamping
// before rounding is clamping after it.
struct HalfEven {
  // 1.5 * 2^23 + v has an ulp of 1; subtracting is exact.
  static float round(float v) { return (v + 0x1.8p23f) - 0x1.8p23f; }
};

struct HalfAway {
  static float round(float v) {
    const auto whole = static_cast<float>(static_cast<int32_t>(v));
    const float rest = v - whole;  // exact
    return whole + static_cast<float>((rest >= 0.5f) - (rest <= -0.5f));
  }
};

struct Divide {
  static float apply(float x, float scale) { return x / scale; }
};

struct Multiply {
  static float apply(float x, float inverse) { return x * inverse; }
};

struct Bounds {
  float least, greatest;
  int32_t zero_point;
};

// Whether all are numbers. No branch, so that compilers vectorize.
template <class Form, class Round>
bool quantize_block(const float* reals, int32_t count, float factor, const Bounds& bounds,
                    int32_t* codes) {
  int32_t wrong = 0;
  for (int32_t i = 0; i < count; ++i) {
    const float v = Form::apply(reals[i], factor);
    wrong |= static_cast<int32_t>(v != v);
    const float above = v > bounds.least ? v : bounds.least;  // a NaN becomes a number here
    const float within = above < bounds.greatest ? above : bounds.greatest;
    codes[i] = static_cast<int32_t>(Round::round(within)) + bounds.zero_point;
  }
  return wrong == 0;
}

template <class Stored>
void spread(const int32_t* codes, int32_t count, int32_t channels, int32_t offset, Stored* to) {
  for (int32_t i = 0; i < count; ++i) {
    to[static_cast<ptrdiff_t>(i) * channels] = static_cast<Stored>(codes[i] + offset);
  }
}

// Codes of channel c of the pixels from x on, in row y.
void put(const int32_t* codes, int32_t count, int32_t y, int32_t x, int32_t c, const Image& image) {
  const ptrdiff_t at = static_cast<ptrdiff_t>(x) * image.channels + c;
  if (program::is_8_bit(image.type)) {
    spread(codes, count, image.channels, program::stored_offset(image.type), image.row(y) + at);
  } else {
    spread(codes, count, image.channels, 0, reinterpret_cast<int16_t*>(image.row(y)) + at);
  }
}

using QuantizeBlock = bool (*)(const float*, int32_t, float, const Bounds&, int32_t*);

QuantizeBlock pick(InputRule rule) {
  if (rule.multiplies_inverse) {
    return rule.half_even ? quantize_block<Multiply, HalfEven> : quantize_block<Multiply, HalfAway>;
  }
  return rule.half_even ? quantize_block<Divide, HalfEven> : quantize_block<Divide, HalfAway>;
}

}  // namespace

InputQuantizer::InputQuantizer(const program::Tensor& tensor, InputRule rule)
    : factor_(rule.multiplies_inverse ? 1 / tensor.scale : tensor.scale),
      least_(static_cast<float>(program::least_code(tensor.type) - tensor.zero_point)),
      greatest_(static_cast<float>(program::greatest_code(tensor.type) - tensor.zero_point)),
      zero_point_(tensor.zero_point),
      rule_(rule) {}

bool InputQuantizer::quantize(const float* reals, int32_t begin, int32_t end,
                              const Image& image) const {
  const QuantizeBlock quantize_block = pick(rule_);
  const Bounds bounds{least_, greatest_, zero_point_};
  const ptrdiff_t plane = static_cast<ptrdiff_t>(image.height) * image.width;
  int32_t codes[block];
  bool numbers = true;
  for (int32_t y = begin; y < end; ++y) {
    for (int32_t x = 0; x < image.width; x += block) {
      const int32_t count = std::min(block, image.width - x);
      for (int32_t c = 0; c < image.channels; ++c) {
        const float* from = reals + c * plane + static_cast<ptrdiff_t>(y) * image.width + x;
        numbers &= quantize_block(from, count, factor_, bounds, codes);
        put(codes, count, y, x, c, image);
      }
    }
  }
  return numbers;
}

void map_pixels(const uint8_t* pixels, const int32_t* table, int32_t begin, int32_t end,
                const Image& image) {
  int32_t codes[block];
  for (int32_t y = begin; y < end; ++y) {
    const uint8_t* row = pixels + static_cast<size_t>(y) * image.row_codes();
    for (int32_t x = 0; x < image.width; x += block) {
      const int32_t count = std::min(block, image.width - x);
      const uint8_t* from = row + static_cast<ptrdiff_t>(x) * image.channels;
      for (int32_t c = 0; c < image.channels; ++c) {
        const int32_t* entries = table + static_cast<ptrdiff_t>(c) * 256;
        for (int32_t i = 0; i < count; ++i) {
          codes[i] = entries[from[static_cast<ptrdiff_t>(i) * image.channels + c]];
        }
        put(codes, count, y, x, c, image);
      }
    }
  }
}

}  // namespace lastbit
