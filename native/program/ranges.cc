// SPDX-License-Identifier: Apache-2.0
#include "program/ranges.h"

#include <algorithm>

#include "numeric/saturate.h"

namespace lastbit::program {
namespace {

// Weights of one channel, summed by sign with the zero point taken off: all that bounds need.
struct SignedSums {
  int64_t positive = 0, negative = 0;
};

// Weights are summed in portions whose sums fit a narrow type, since compilers vectorize plain
// loops over it: |w - zero point| is at most 255 for 8 bits (128 of them fit int16) and below 2^17
// else.
template <class T>
struct Portion {
  using Sum = int32_t;
  static constexpr size_t size = 8192;
};
template <>
struct Portion<int8_t> {
  using Sum = int16_t;
  static constexpr size_t size = 128;
};
template <>
struct Portion<uint8_t> : Portion<int8_t> {};

template <class T>
SignedSums signed_sums(const T* weights, size_t count, int32_t zero_point) {
  using Sum = typename Portion<T>::Sum;
  int64_t positive = 0, total = 0;
  for (size_t at = 0; at < count; at += Portion<T>::size) {
    const size_t end = std::min(count, at + Portion<T>::size);
    Sum portion_positive = 0, portion_total = 0;
    for (size_t i = at; i < end; ++i) {
      const auto w = static_cast<Sum>(weights[i] - zero_point);
      portion_positive = static_cast<Sum>(portion_positive + std::max<Sum>(w, 0));
      portion_total = static_cast<Sum>(portion_total + w);
    }
    positive += portion_positive;
    total += portion_total;
  }
  return {positive, total - positive};
}

SignedSums signed_sums(const Conv& conv, int32_t oc) {
  const size_t count = conv.reduction();
  const size_t at = static_cast<size_t>(oc) * count;
  const int32_t zero_point = conv.weight_zero_points[static_cast<size_t>(oc)];
  switch (conv.weight_type) {
    case WeightType::s8:
      return signed_sums(static_cast<const int8_t*>(conv.weights) + at, count, zero_point);
    case WeightType::u8:
      return signed_sums(static_cast<const uint8_t*>(conv.weights) + at, count, zero_point);
    case WeightType::s16:
      break;
  }
  return signed_sums(static_cast<const int16_t*>(conv.weights) + at, count, zero_point);
}

bool range_fits(const Range& range, const Accumulator& accumulator) {
  // The bits, but never more than int32 can hold; symmetric saturation also changes the least.
  const int bits = std::min(accumulator.bits, 32);
  const bool symmetric = accumulator.overflow == Overflow::saturate_symmetric;
  return range.min >= least_of_bits(bits) + (symmetric ? 1 : 0) &&
         range.max <= greatest_of_bits(bits);
}

}  // namespace

Range accumulator_range(const Conv& conv, const Tensor& input, int32_t oc) {
  // x - z runs over [least, greatest] with least <= 0 <= greatest since z is a code, so a positive
  // weight contributes [w * least, w * greatest] and a negative one the reverse; both hold 0.
  const int64_t least = int64_t{least_code(input.type)} - input.zero_point;
  const int64_t greatest = int64_t{greatest_code(input.type)} - input.zero_point;
  const SignedSums sums = signed_sums(conv, oc);
  const int64_t bias = conv.bias[static_cast<size_t>(oc)];
  return {sums.positive * least + sums.negative * greatest + std::min<int64_t>(0, bias),
          sums.positive * greatest + sums.negative * least + std::max<int64_t>(0, bias)};
}

std::vector<Range> accumulator_ranges(const Conv& conv, const Tensor& input) {
  std::vector<Range> ranges;
  ranges.reserve(static_cast<size_t>(conv.output_channels));
  for (int32_t oc = 0; oc < conv.output_channels; ++oc) {
    ranges.push_back(accumulator_range(conv, input, oc));
  }
  return ranges;
}

Range hull(const std::vector<Range>& ranges) {
  Range all;
  for (const Range& r : ranges) all = {std::min(all.min, r.min), std::max(all.max, r.max)};
  return all;
}

int64_t weight_magnitude(const Conv& conv, int32_t oc) {
  const SignedSums sums = signed_sums(conv, oc);
  return sums.positive - sums.negative;
}

bool pairs_never_saturate(const Conv& conv, int32_t oc) {
  const size_t count = conv.reduction();
  const int8_t* w = static_cast<const int8_t*>(conv.weights) + static_cast<size_t>(oc) * count;
  for (size_t i = 0; i + 1 < count; i += 2) {
    const int32_t positive = std::max<int32_t>(w[i], 0) + std::max<int32_t>(w[i + 1], 0);
    const int32_t negative = std::min<int32_t>(w[i], 0) + std::min<int32_t>(w[i + 1], 0);
    if (positive * 255 > 32767 || negative * 255 < -32768) return false;
  }
  return true;  // a single product is at most 255 * 128 = 32640
}

bool pairs_never_saturate(const Conv& conv) {
  for (int32_t oc = 0; oc < conv.output_channels; ++oc) {
    if (!pairs_never_saturate(conv, oc)) return false;
  }
  return true;
}

bool stays_in_int32(const Conv& conv, const Tensor& input, int32_t oc) {
  const Accumulator& accumulator = conv.accumulator;
  if (accumulator.products == Products::sat_pairs16 && !pairs_never_saturate(conv, oc)) {
    return false;
  }
  return range_fits(accumulator_range(conv, input, oc), accumulator);
}

bool exact_in_int32(const Conv& conv, const Tensor& input) {
  const Accumulator& accumulator = conv.accumulator;
  if (accumulator.overflow == Overflow::wrap && accumulator.bits == 32) {
    return accumulator.products == Products::exact || pairs_never_saturate(conv);
  }
  for (int32_t oc = 0; oc < conv.output_channels; ++oc) {
    if (!stays_in_int32(conv, input, oc)) return false;
  }
  return true;
}

bool has_saturating_pairs(const Conv& conv) {
  return conv.accumulator.products == Products::sat_pairs16 && !pairs_never_saturate(conv);
}

bool exact_with_pairs(const Conv& conv, const Tensor& input) {
  const Accumulator& accumulator = conv.accumulator;
  if (accumulator.overflow == Overflow::wrap && accumulator.bits == 32) return true;
  for (int32_t oc = 0; oc < conv.output_channels; ++oc) {
    if (!range_fits(accumulator_range(conv, input, oc), accumulator)) return false;
  }
  return true;
}

}  // namespace lastbit::program
