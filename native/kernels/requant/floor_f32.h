// SPDX-License-Identifier: Apache-2.0
// Fixed-point requantization by float32, exactly: 4 operations a vector where affine takes 7 and
// double_rounding 10.
//
// affine is a step function, y = floor((x * m + R) / 2^s), and y leaves [lo, hi] to the clamp: all
// that counts is where its steps i in (lo, hi] lie, at x = t = ceil((i * 2^s - R) / m). A function
// that does not decrease and has the same steps is the same function. This one is
//   y = floor(down(f * a + near(f * a' + b))),   f = float32(x + q),
// a + a' = m / 2^s exactly (24 bits and the rest of 31), near and down roundings to float32.
// Integers are float32 numbers, so rounding downwards before the floor changes nothing: the only
// error is that of the inner, small sum. b is chosen in the middle of what keeps every step (the
// numbers x * m + R nearest below and above a multiple of 2^s leave a gap of about 2^-8 of a step),
// and q, which costs nothing in the bias, makes b smaller than half a step so that the error is
// too. Each channel's steps are checked against a bound of the error; where one channel fails, the
// layer keeps its form.
#pragma once
#include <cstdint>

#include "kernels/requant/epilogue.h"

namespace lastbit {

// The steps i in (lo, hi] of y = floor((x * m + addend) / 2^shift). Requires 0 < m < 2^31, shift <=
// 60, and |addend|, hi * 2^shift < 2^61.
struct Steps {
  int64_t multiplier, addend;
  int32_t shift, lo, hi;
};

// t * m + addend - i * 2^shift over the steps i and their x = t: within [0, m).
struct Remainders {
  int32_t least, greatest;
};
using RemaindersOf = Remainders (*)(const Steps& steps);
Remainders remainders_ref(const Steps& steps);
#if defined(__x86_64__) || defined(_M_X64)
Remainders remainders_avx512(const Steps& steps);  // a large net has millions of steps
#endif

// From one step to the next the remainder falls by `turn` = 2^shift modulo m.
struct Chain {
  int32_t first, turn, m, count;
};
Chain first_remainder(const Steps& steps);

// b, and the bound that was proven: false if an x with |x + origin| <= 2^24 at a step could fall on
// its other side.
bool prove_floor_f32(const Steps& steps, int64_t origin, float factor_rest, float* offset,
                     RemaindersOf remainders_of = remainders_ref);

// Turns affine, affine_preshift and double_rounding into floor_f32 or floor_f32_signs where all
// channels are proven; each channel's `origin` has to be added to its bias. Else changes nothing.
bool to_floor_f32(Epilogue* epilogue, RemaindersOf remainders_of = remainders_ref);

}  // namespace lastbit
