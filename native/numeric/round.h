// SPDX-License-Identifier: Apache-2.0
// The only place where rounding is spelled out: a layer names a rule, a kernel calls this.
#pragma once
#include <cstdint>

namespace lastbit {

// Numbered as in the program format (src/program/NOTES.md). The first nine round any integer; the
// last two are double roundings and exist only together with a multiplier (requant.h).
enum class Rule : uint8_t {
  floor,
  ceil,
  trunc0,
  half_up,
  half_down,
  half_away,
  half_to_zero,
  half_even,
  half_odd,
  gemmlowp2,
  ruyx86,
};

constexpr uint32_t plain_rule_count = 9;
constexpr uint32_t rule_count = 11;

// The addend R of y = (p + R) >> s for a plain rule, 1 <= s <= 62. Int is int64_t or wider.
//
// Every rule is the floor of p / 2^s after an addend; only ties tell most of them apart. With
// h = 2^(s-1), adding h - 1 sends a tie down and h sends it up, so a rule that looks at the sign or
// at the parity of the floor chooses between the two.
template <class Int>
constexpr Int rounding_addend(Int p, int s, Rule rule) {
  const Int half = Int{1} << (s - 1);
  const Int ones = (half - 1) + half;  // 2^s - 1; written so that s = 62 stays in range
  switch (rule) {
    case Rule::floor:
      return 0;
    case Rule::ceil:
      return ones;
    case Rule::trunc0:
      return p < 0 ? ones : 0;
    case Rule::half_down:
      return half - 1;
    case Rule::half_away:
      return half - (p < 0 ? 1 : 0);
    case Rule::half_to_zero:
      return half - (p >= 0 ? 1 : 0);
    case Rule::half_even:
      return half - 1 + ((p >> s) & 1);
    case Rule::half_odd:
      return half - ((p >> s) & 1);
    case Rule::half_up:
    case Rule::gemmlowp2:  // the double roundings equal half_up on a bare shift
    case Rule::ruyx86:
      return half;
  }
  return 0;
}

// p / 2^s under a plain rule. Requires 1 <= s <= 62 and |p| <= 2^62, so the sum cannot overflow.
template <class Int>
constexpr Int round_shift(Int p, int s, Rule rule) {
  return (p + rounding_addend(p, s, rule)) >> s;
}

// Ties are where implementations disagree, so all four of the specification's table are pinned.
constexpr bool ties(Rule r, int64_t minus_1_5, int64_t minus_0_5, int64_t plus_0_5,
                    int64_t plus_1_5) {
  return round_shift<int64_t>(-3, 1, r) == minus_1_5 &&
         round_shift<int64_t>(-1, 1, r) == minus_0_5 && round_shift<int64_t>(1, 1, r) == plus_0_5 &&
         round_shift<int64_t>(3, 1, r) == plus_1_5;
}
static_assert(ties(Rule::floor, -2, -1, 0, 1));
static_assert(ties(Rule::ceil, -1, 0, 1, 2));
static_assert(ties(Rule::trunc0, -1, 0, 0, 1));
static_assert(ties(Rule::half_up, -1, 0, 1, 2));
static_assert(ties(Rule::half_down, -2, -1, 0, 1));
static_assert(ties(Rule::half_away, -2, -1, 1, 2));
static_assert(ties(Rule::half_to_zero, -1, 0, 0, 1));
static_assert(ties(Rule::half_even, -2, 0, 0, 2));
static_assert(ties(Rule::half_odd, -1, -1, 1, 1));

}  // namespace lastbit
