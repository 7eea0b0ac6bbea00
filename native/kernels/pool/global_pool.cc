// SPDX-License-Identifier: Apache-2.0
#include "kernels/pool/global_pool.h"

#include <algorithm>

#include "memory/aligned.h"
#include "numeric/saturate.h"

namespace lastbit {
namespace {

// 257 * 255 = 65535: as many codes as a u16 holds for certain.
constexpr int32_t most_in_u16 = 257;
constexpr int32_t portion = 64;           // channels
constexpr int32_t most_pixels = 1 << 20;  // sums then stay below 2^28

void add_bytes(const uint8_t* from, size_t count, uint16_t* sums) {
  for (size_t c = 0; c < count; ++c) sums[c] = static_cast<uint16_t>(sums[c] + from[c]);
}

void flush(uint16_t* from, size_t count, int32_t* sums) {
  for (size_t c = 0; c < count; ++c) sums[c] += from[c];
  std::fill_n(from, count, uint16_t{0});
}

int32_t quotient(int32_t sum, int32_t n, program::DivideRule rule) {
  switch (rule) {
    case program::DivideRule::half_up: {
      const int32_t v = sum + n / 2;
      return v / n - (v % n < 0 ? 1 : 0);  // floor
    }
    case program::DivideRule::half_away:
      return (sum > 0 ? sum + n / 2 : sum - n / 2) / n;
    case program::DivideRule::trunc0:
      break;
  }
  return sum / n;
}

}  // namespace

bool GlobalPool::fits(const program::AveragePool& pool, const program::Tensor& input,
                      const program::Tensor& output) {
  const program::Window& w = pool.window;
  const Pads& p = w.pads;
  return pool.form != program::AverageForm::f32_window && program::is_8_bit(input.type) &&
         program::is_8_bit(output.type) && output.height == 1 && output.width == 1 &&
         w.kernel_h == input.height && w.kernel_w == input.width && p.top == 0 && p.left == 0 &&
         p.bottom == 0 && p.right == 0 && input.pixels() <= static_cast<size_t>(most_pixels);
}

GlobalPool::GlobalPool(const program::AveragePool& pool, const program::Tensor& input,
                       const program::Tensor& output)
    : pool_(pool),
      finish_(pool.requant, pool.clamp, output.zero_point),
      pixels_(static_cast<int32_t>(input.pixels())),
      channels_(input.channels),
      parts_(finish_.is_uniform() ? (channels_ + portion - 1) / portion : 1),
      in_offset_(program::stored_offset(input.type)),
      out_offset_(program::stored_offset(output.type)),
      zero_point_(input.zero_point) {}

size_t GlobalPool::scratch_bytes() const {
  const auto channels = static_cast<size_t>(channels_);
  return round_up(channels * sizeof(int32_t), 64) + round_up(channels * sizeof(uint16_t), 64);
}

void GlobalPool::divide(size_t channels, int32_t* sums) const {
  for (size_t c = 0; c < channels; ++c) {
    sums[c] =
        clamp_to(quotient(sums[c], pixels_, pool_.rule), program::of_channel(pool_.clamp.lo, c),
                 program::of_channel(pool_.clamp.hi, c));
  }
}

void GlobalPool::run(const View& in, const View& out, int32_t part_begin, int32_t part_end,
                     uint8_t* scratch) const {
  const auto first = static_cast<size_t>(part_begin * portion);
  const int32_t end = part_end == parts_ ? channels_ : part_end * portion;
  const size_t channels = static_cast<size_t>(end) - first;
  auto* sums = reinterpret_cast<int32_t*>(scratch);
  auto* short_sums =
      reinterpret_cast<uint16_t*>(scratch + round_up(channels * sizeof(int32_t), 64));
  // What stored codes have too much: the type's offset, and for `requant` the zero point.
  const int32_t surplus =
      in_offset_ + (pool_.form == program::AverageForm::divide ? 0 : zero_point_);
  std::fill_n(sums, channels, -surplus * pixels_);
  std::fill_n(short_sums, channels, uint16_t{0});
  int32_t held = 0;
  for (int32_t y = 0; y < in.height; ++y) {
    const uint8_t* pixel = in.data + y * in.row_stride + first;
    for (int32_t x = 0; x < in.width; ++x, pixel += channels_) {
      add_bytes(pixel, channels, short_sums);
      if (++held == most_in_u16) {
        flush(short_sums, channels, sums);
        held = 0;
      }
    }
  }
  flush(short_sums, channels, sums);
  if (pool_.form == program::AverageForm::divide) {
    divide(channels, sums);
  } else {
    finish_.all(sums, channels, sums);
  }
  for (size_t i = 0; i < channels; ++i) {
    out.data[first + i] = static_cast<uint8_t>(sums[i] + out_offset_);
  }
}

}  // namespace lastbit
