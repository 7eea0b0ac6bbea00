// SPDX-License-Identifier: Apache-2.0
// Bringing values into a range, and reals to integers: the other half of what arithmetic means.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

namespace lastbit {

// Two's complement at 128 bits; products of a 64-bit accumulator and a 31-bit multiplier need 95.
__extension__ typedef __int128 Int128;

template <class Int>
constexpr Int clamp_to(Int v, Int lo, Int hi) {
  return v < lo ? lo : v > hi ? hi : v;
}

// [-2^(bits-1), 2^(bits-1) - 1]; 1 <= bits <= 64.
constexpr int64_t least_of_bits(int bits) {
  return static_cast<int64_t>(~uint64_t{0} << (bits - 1));
}
constexpr int64_t greatest_of_bits(int bits) { return ~least_of_bits(bits); }

constexpr bool fits_bits(int64_t v, int bits) {
  return v >= least_of_bits(bits) && v <= greatest_of_bits(bits);
}

// The low `bits` bits of v, sign extended: two's complement wrap.
constexpr int64_t wrap_to_bits(int64_t v, int bits) {
  const int unused = 64 - bits;
  return static_cast<int64_t>(static_cast<uint64_t>(v) << unused) >> unused;
}

// v * 2^n modulo 2^64; C++17 leaves << of a negative number undefined.
constexpr int64_t shifted_left(int64_t v, int n) {
  return static_cast<int64_t>(static_cast<uint64_t>(v) << n);
}
static_assert(shifted_left(-3, 4) == -48);

constexpr int32_t saturate16(int32_t v) { return clamp_to(v, -32768, 32767); }

static_assert(wrap_to_bits(0x8000, 16) == -0x8000 && wrap_to_bits(-0x8001, 16) == 0x7fff);
static_assert(wrap_to_bits(INT64_MIN, 64) == INT64_MIN);
static_assert(least_of_bits(64) == INT64_MIN && greatest_of_bits(16) == 32767);
static_assert(fits_bits(32767, 16) && !fits_bits(32768, 16));
static_assert(fits_bits(-32768, 16) && !fits_bits(-32769, 16));

// Nearest integer, ties to even, saturated to +-2^62 (far outside every code, so a later clamp
// gives what the exact value would). v is not NaN.
//
// Below 2^22 the sum v + 1.5 * 2^23 has a unit in the last place of 1, so float32 addition itself
// does the rounding; from 2^23 on every float32 is an integer; in between the fraction is 0 or 1/2.
inline int64_t round_to_even(float v) {
  constexpr float magic = 12582912.0f;  // 1.5 * 2^23
  constexpr float limit = 4611686018427387904.0f;
  if (v > -4194304.0f && v < 4194304.0f) {
    const float shifted = v + magic;
    return static_cast<int64_t>(shifted - magic);
  }
  if (v >= limit) return int64_t{1} << 62;
  if (v <= -limit) return -(int64_t{1} << 62);
  const int64_t whole = static_cast<int64_t>(v);  // toward zero
  const float fraction = v - static_cast<float>(whole);
  if (fraction == 0.5f) return whole + (whole & 1);
  if (fraction == -0.5f) return whole - (whole & 1);
  return whole;
}

// Nearest integer, ties away from zero, saturated likewise. v is not NaN.
inline int64_t round_half_away(float v) {
  constexpr float limit = 4611686018427387904.0f;
  if (v >= limit) return int64_t{1} << 62;
  if (v <= -limit) return -(int64_t{1} << 62);
  const int64_t whole = static_cast<int64_t>(v);
  const float fraction = v - static_cast<float>(whole);  // exact: both have v's exponent or less
  if (fraction >= 0.5f) return whole + 1;
  if (fraction <= -0.5f) return whole - 1;
  return whole;
}

// Nearest integer, ties up: the floor of the real v + 1/2, saturated likewise. v is not NaN.
//
// The sum is exact in float64 but where |v| < 2^-29, and there it stays within (0.4, 0.6).
inline int64_t round_half_up(float v) {
  constexpr double limit = 4611686018427387904.0;
  return static_cast<int64_t>(std::clamp(std::floor(double{v} + 0.5), -limit, limit));
}

// The floor of the float32 sum v + 0.5: from 2^23 on the sum itself is rounded, and so it is for
// the greatest float32 below 0.5. Saturated likewise. v is not NaN.
inline int64_t add_half_floor(float v) {
  constexpr float limit = 4611686018427387904.0f;
  return static_cast<int64_t>(std::clamp(std::floor(v + 0.5f), -limit, limit));
}

// Numbered as in the program format.
enum class FloatRule : uint8_t { half_even, half_away, half_up, add_half_floor };
constexpr uint32_t float_rule_count = 4;

inline int64_t round_float(float v, FloatRule rule) {
  switch (rule) {
    case FloatRule::half_away:
      return round_half_away(v);
    case FloatRule::half_up:
      return round_half_up(v);
    case FloatRule::add_half_floor:
      return add_half_floor(v);
    case FloatRule::half_even:
      break;
  }
  return round_to_even(v);
}

}  // namespace lastbit
