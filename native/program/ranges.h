// SPDX-License-Identifier: Apache-2.0
// What an accumulator can reach, computed from the weights at load and never read from the file.
// It decides whether order and width of an accumulator can matter at all.
#pragma once
#include <cstdint>
#include <vector>

#include "program/program.h"

namespace lastbit::program {

struct Range {
  int64_t min = 0, max = 0;
};

// Bounds of every partial sum of output channel oc, with and without its bias, in any order and
// with any terms left out (padding): [sum of least products + min(0, bias), likewise greatest].
// A product's least value counts only below 0 and its greatest only above 0. Input codes are taken
// to reach their type's ends.
Range accumulator_range(const Conv& conv, const Tensor& input, int32_t oc);
// Of all output channels.
std::vector<Range> accumulator_ranges(const Conv& conv, const Tensor& input);
// What holds all of them, and 0.
Range hull(const std::vector<Range>& ranges);

// The sum of |w - zw| of output channel oc.
int64_t weight_magnitude(const Conv& conv, int32_t oc);

// True if no pair of raw products x0 * w0 + x1 * w1 (x in [0, 255], in the order of the
// specification) of channel oc, or of any channel, leaves 16 bits: products = satPairs16 then
// equals the exact sum.
bool pairs_never_saturate(const Conv& conv, int32_t oc);
bool pairs_never_saturate(const Conv& conv);

// True if no partial sum of channel oc can leave min(accumulator bits, 32) bits, nor a pair
// saturate: order and overflow cannot matter then, and plain int32 addition never overflows.
bool stays_in_int32(const Conv& conv, const Tensor& input, int32_t oc);

// True if two's complement int32 sums, in any order, followed by the requantization of the int32
// accumulator, give the specification's result for every input: no accumulator can leave its bits
// (or it wraps at 32 bits, which int32 addition does too) and no pair can saturate. Kernels that
// sum in int32 are exact then; otherwise the ordered reference must run.
bool exact_in_int32(const Conv& conv, const Tensor& input);

// True if products = satPairs16 and some pair can saturate.
bool has_saturating_pairs(const Conv& conv);

// As exact_in_int32 for kernels that saturate each pair of products themselves and then add in
// int32. Saturation brings a pair nearer to 0, so accumulator_range still holds every sum.
bool exact_with_pairs(const Conv& conv, const Tensor& input);

}  // namespace lastbit::program
