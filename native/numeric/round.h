// SPDX-License-Identifier: Apache-2.0
// The only place where rounding is spelled out: a layer names a rule, a kernel calls this.
#pragma once
#include <cstdint>
#include <type_traits>

// The rules that round any integer, in the order of their numbers in the program format. Whatever
// goes through all of them is made from this list.
#define LASTBIT_PLAIN_RULES(RULE) \
  RULE(floor)                     \
  RULE(ceil)                      \
  RULE(trunc0)                    \
  RULE(half_up) RULE(half_down) RULE(half_away) RULE(half_to_zero) RULE(half_even) RULE(half_odd)
// Double roundings, which exist only together with a multiplier (requant.h).
#define LASTBIT_DOUBLE_RULES(RULE) RULE(gemmlowp2) RULE(ruyx86)

namespace lastbit {

// Numbered as in the program format (src/program/NOTES.md).
enum class Rule : uint8_t {
#define LASTBIT_RULE(name) name,
  LASTBIT_PLAIN_RULES(LASTBIT_RULE) LASTBIT_DOUBLE_RULES(LASTBIT_RULE)
#undef LASTBIT_RULE
};

#define LASTBIT_RULE(name) +1
constexpr uint32_t plain_rule_count = 0 LASTBIT_PLAIN_RULES(LASTBIT_RULE);
constexpr uint32_t rule_count = plain_rule_count + 0 LASTBIT_DOUBLE_RULES(LASTBIT_RULE);
#undef LASTBIT_RULE

// Calls f(std::integral_constant<Rule, rule>), so that a loop inside of f is compiled for one rule.
template <class F>
void with_rule(Rule rule, F f) {
  switch (rule) {
#define LASTBIT_RULE(name) \
  case Rule::name:         \
    return f(std::integral_constant<Rule, Rule::name>());
    LASTBIT_PLAIN_RULES(LASTBIT_RULE)
    LASTBIT_DOUBLE_RULES(LASTBIT_RULE)
#undef LASTBIT_RULE
  }
}

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
