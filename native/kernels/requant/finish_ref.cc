// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kernels/requant/finish.h"
#include "numeric/requant.h"
#include "program/stages.h"

namespace lastbit {

using program::of_channel;
using program::RequantKind;

namespace {

template <class T>
std::vector<T> cut(const std::vector<T>& values, size_t first, size_t count) {
  if (values.size() <= 1) return values;
  const auto begin = values.begin() + static_cast<ptrdiff_t>(first);
  return {begin, begin + static_cast<ptrdiff_t>(count)};
}

}  // namespace

program::Requant part_of(const program::Requant& requant, size_t first, size_t count) {
  program::Requant part = requant;
  part.multiplier = cut(requant.multiplier, first, count);
  part.shift = cut(requant.shift, first, count);
  part.scale = cut(requant.scale, first, count);
  part.scale64 = cut(requant.scale64, first, count);
  part.stages = program::part_of(requant.stages, first, count);
  return part;
}

Int128 requantized(const program::Requant& requant, size_t c, int64_t acc) {
  switch (requant.kind) {
    case RequantKind::none:
      break;
    case RequantKind::fixed:
      return apply_fixed(acc, of_channel(requant.multiplier, c), of_channel(requant.shift, c),
                         requant.rule);
    case RequantKind::f32:
      return apply_f32(acc, of_channel(requant.scale, c));
    case RequantKind::shift:
      return apply_shift(acc, of_channel(requant.shift, c), requant.rule);
    case RequantKind::f32_rule:
      return apply_f32(acc, of_channel(requant.scale, c), requant.float_rule);
    case RequantKind::f64:
      return apply_f64(acc, of_channel(requant.scale64, c));
    case RequantKind::stages:
      program::run_stages(requant.stages, c, 1, &acc);
      break;
  }
  return acc;
}

void requantize(const program::Requant& requant, size_t first, size_t count, int64_t* values) {
  if (requant.kind == RequantKind::stages) {
    return program::run_stages(requant.stages, first, count, values);
  }
  for (size_t i = 0; i < count; ++i) {
    // A product has at most 62 bits and a left shift at most 31, so 64 bits hold the result.
    values[i] = static_cast<int64_t>(requantized(requant, first + i, values[i]));
  }
}

int32_t Finish::one(int64_t acc, size_t c) const {
  const Int128 y = requantized(requant_, c, acc) + zero_point_;
  return static_cast<int32_t>(
      clamp_to<Int128>(y, of_channel(clamp_.lo, c), of_channel(clamp_.hi, c)));
}

template <class Requantize>
void Finish::each(const int32_t* acc, size_t channels, int32_t* codes,
                  Requantize requantize) const {
  // An array of one entry is read again and again: its index is masked to 0.
  const size_t lo_mask = clamp_.lo.size() == 1 ? 0 : ~size_t{0};
  const size_t hi_mask = clamp_.hi.size() == 1 ? 0 : ~size_t{0};
  for (size_t c = 0; c < channels; ++c) {
    const int64_t y = requantize(acc[c], c) + zero_point_;
    codes[c] =
        static_cast<int32_t>(clamp_to<int64_t>(y, clamp_.lo[c & lo_mask], clamp_.hi[c & hi_mask]));
  }
}

void Finish::all_fixed(const int32_t* acc, size_t channels, int32_t* codes) const {
  const int32_t* m = requant_.multiplier.data();
  const int32_t* s = requant_.shift.data();
  const size_t m_mask = requant_.multiplier.size() == 1 ? 0 : ~size_t{0};
  const size_t s_mask = requant_.shift.size() == 1 ? 0 : ~size_t{0};
  with_rule(requant_.rule, [&](auto rule) {
    each(acc, channels, codes, [=](int32_t a, size_t c) {
      return FixedPoint<decltype(rule)::value>::apply(a, m[c & m_mask], s[c & s_mask]);
    });
  });
}

// Stage after stage over a few channels, so that a stage is chosen once for all of them.
void Finish::all_in_portions(const int32_t* acc, size_t channels, int32_t* codes) const {
  constexpr size_t portion = 64;
  int64_t values[portion];
  for (size_t first = 0; first < channels; first += portion) {
    const size_t count = std::min(portion, channels - first);
    std::copy_n(acc + first, count, values);
    program::run_stages(requant_.stages, first, count, values);
    for (size_t i = 0; i < count; ++i) {
      const size_t c = first + i;
      codes[c] = static_cast<int32_t>(clamp_to<int64_t>(
          values[i] + zero_point_, of_channel(clamp_.lo, c), of_channel(clamp_.hi, c)));
    }
  }
}

void Finish::all(const int32_t* acc, size_t channels, int32_t* codes) const {
  switch (requant_.kind) {
    case RequantKind::none:
      return each(acc, channels, codes, [](int32_t a, size_t) { return int64_t{a}; });
    case RequantKind::fixed:
      return all_fixed(acc, channels, codes);
    case RequantKind::f32:
      return each(acc, channels, codes, [this](int32_t a, size_t c) {
        return apply_f32(a, of_channel(requant_.scale, c));
      });
    case RequantKind::shift:
      return each(acc, channels, codes, [this](int32_t a, size_t c) {
        // |a| <= 2^31 and a left shift is at most 31, so 64 bits hold it.
        return static_cast<int64_t>(apply_shift(a, of_channel(requant_.shift, c), requant_.rule));
      });
    case RequantKind::f32_rule:
      return each(acc, channels, codes, [this](int32_t a, size_t c) {
        return apply_f32(a, of_channel(requant_.scale, c), requant_.float_rule);
      });
    case RequantKind::f64:
      return each(acc, channels, codes, [this](int32_t a, size_t c) {
        return apply_f64(a, of_channel(requant_.scale64, c));
      });
    case RequantKind::stages:
      return all_in_portions(acc, channels, codes);
  }
}

}  // namespace lastbit
