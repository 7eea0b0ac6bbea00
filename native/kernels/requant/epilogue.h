// SPDX-License-Identifier: Apache-2.0
// How SIMD kernels turn int32 accumulators into stored codes: the form is chosen once, at load,
// from what the layer's accumulators can reach; epilogue.inc has one function for each form.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "program/program.h"
#include "program/ranges.h"

namespace lastbit {

// y is before the clamp and already holds the output's stored zero point.
enum class Form : uint8_t {
  affine,           // y = (x * m + R) >> s, s >= 32
  affine_preshift,  // y = ((x << l) * m + R) >> s: total shifts below 32, left shifts
  double_rounding,  // gemmlowp2 of signed outputs: R depends on the sign of x
  f32,              // y = RNE(f32(f32(x) * scale)) + zero point
  shift,            // y = (x + R) >> s
  raw,              // none of these is proven exact: int32 out, requant/finish.h does the rest
  // For accumulators that a kernel scales by 2^prescale, h = (x << prescale) * m >> 32:
  affine_high,           // y = (h + r) >> s
  double_rounding_high,  // gemmlowp2 of signed outputs: r depends on the sign of h
  floor_f32,             // affine's steps in float32: requant/floor_f32.h
  floor_f32_signs,       // double_rounding's
};
constexpr int form_count = 10;

// Vectors of int32 parameters that a form reads for each vector of channels.
constexpr int form_slots(Form form) {
  constexpr int slots[form_count] = {5, 6, 6, 2, 2, 0, 4, 5, 3, 5};
  return slots[static_cast<int>(form)];
}

// The high forms take the high dwords of even and odd lanes by one shuffle, which leaves lanes 1
// and 2 of every four in each other's place: accumulators have to stand there beforehand.
constexpr bool is_high(Form form) {
  return form == Form::affine_high || form == Form::double_rounding_high;
}
constexpr int32_t crossed(int32_t lane) { return lane % 4 == 1 || lane % 4 == 2 ? lane ^ 3 : lane; }

constexpr const char* form_name(Form form) {
  constexpr const char* names[form_count] = {
      "affine", "affine_preshift", "double_rounding",      "f32",       "shift",
      "raw",    "affine_high",     "double_rounding_high", "floor_f32", "floor_f32_signs"};
  return names[static_cast<int>(form)];
}

struct ChannelFinish {
  int32_t multiplier = 0;
  int64_t addend = 0;
  int32_t shift = 0;     // as the form's last step applies it
  int32_t preshift = 0;  // affine_preshift: left shift of x
  // double_rounding: -1 where a second rounding happens; double_rounding_high: what a negative h
  // takes instead of the addend
  int32_t sign = 0;
  float scale = 0;
  uint8_t lo = 0, hi = 255;  // stored
  program::Range range;      // of the accumulator
  // floor_f32: factor and addends (the second one below zero), and what the accumulator holds too
  // much, which is part of the bias.
  float factor[2] = {0, 0}, offset[2] = {0, 0};
  int32_t origin = 0;
};

struct Epilogue {
  Form form = Form::raw;
  int32_t zero_point = 0;  // the output's, stored
  int32_t prescale = 0;    // of the high forms: accumulators come times 2^prescale
  std::vector<ChannelFinish> channels;
};

// Kernels that cannot cross lanes, and so have no high forms.
constexpr int32_t no_high_forms = -1;
// What high forms ask for: the first of gemmlowp's two roundings adds 2^30. Weights as s16 less
// their zero point, within 383, bear it easily.
constexpr int32_t s16_prescale = 2;

// For accumulators that stay within `ranges` (one per channel, each within int32); the
// requantization must not be `none`, `output` is an 8-bit tensor. `most_prescale`: of the kernel.
Epilogue plan_epilogue(const program::Requant& requant, const std::vector<program::Range>& ranges,
                       const program::Clamp& clamp, const program::Tensor& output,
                       int32_t most_prescale = no_high_forms);

// What each channel's int32 accumulator can hold, whatever the image, from what its sum can be.
std::vector<program::Range> int32_ranges(const std::vector<program::Range>& accumulators);

// Parameters of one vector: its lane l works for channels[order[l]], or for none if order[l] is
// negative. Writes form_slots(form) * lanes int32.
void pack_parameters(const Epilogue& epilogue, const int32_t* order, int32_t lanes,
                     int32_t* parameters);

}  // namespace lastbit
