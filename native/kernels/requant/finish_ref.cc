// SPDX-License-Identifier: Apache-2.0
#include "kernels/requant/finish.h"
#include "numeric/requant.h"

namespace lastbit {

using program::of_channel;
using program::RequantKind;

int32_t Finish::one(int64_t acc, size_t c) const {
  Int128 y = acc;
  switch (requant_.kind) {
    case RequantKind::none:
      break;
    case RequantKind::fixed:
      y = apply_fixed(acc, of_channel(requant_.multiplier, c), of_channel(requant_.shift, c),
                      requant_.rule);
      break;
    case RequantKind::f32:
      y = apply_f32(acc, of_channel(requant_.scale, c));
      break;
    case RequantKind::shift:
      y = apply_shift(acc, of_channel(requant_.shift, c), requant_.rule);
      break;
  }
  return static_cast<int32_t>(
      clamp_to<Int128>(y + zero_point_, of_channel(clamp_.lo, c), of_channel(clamp_.hi, c)));
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
#define RULE(rule)                                                     \
  case rule:                                                           \
    return each(acc, channels, codes, [=](int32_t a, size_t c) {       \
      return FixedPoint<rule>::apply(a, m[c & m_mask], s[c & s_mask]); \
    });
  switch (requant_.rule) {
    RULE(Rule::floor)
    RULE(Rule::ceil)
    RULE(Rule::trunc0)
    RULE(Rule::half_up)
    RULE(Rule::half_down)
    RULE(Rule::half_away)
    RULE(Rule::half_to_zero)
    RULE(Rule::half_even)
    RULE(Rule::half_odd)
    RULE(Rule::gemmlowp2)
    RULE(Rule::ruyx86)
  }
#undef RULE
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
  }
}

}  // namespace lastbit
