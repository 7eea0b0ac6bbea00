// SPDX-License-Identifier: Apache-2.0
// finish(a, c) of src/program/NOTES.md: requantize, add the zero point, clamp.
#pragma once
#include <cstddef>
#include <cstdint>

#include "numeric/saturate.h"
#include "program/program.h"

namespace lastbit {

// One accumulator of any width, exactly; before zero point and clamp.
Int128 requantized(const program::Requant& requant, size_t c, int64_t acc);

// Requantizes values[i] as channel `first` + i, in place, for i < count. |values[i]| <= 2^31.
void requantize(const program::Requant& requant, size_t first, size_t count, int64_t* values);

// The requantization of channels [first, first + count).
program::Requant part_of(const program::Requant& requant, size_t first, size_t count);

class Finish {
 public:
  Finish(const program::Requant& requant, const program::Clamp& clamp, int32_t zero_point)
      : requant_(requant), clamp_(clamp), zero_point_(zero_point) {}

  // Whether all channels are finished alike.
  bool is_uniform() const {
    return requant_.kind != program::RequantKind::stages && requant_.multiplier.size() <= 1 &&
           requant_.shift.size() <= 1 && requant_.scale.size() <= 1 &&
           requant_.scale64.size() <= 1 && clamp_.lo.size() <= 1 && clamp_.hi.size() <= 1;
  }

  // One accumulator of any width, exactly.
  int32_t one(int64_t acc, size_t c) const;
  // codes[c] = finish(acc[c], c) for c < channels.
  void all(const int32_t* acc, size_t channels, int32_t* codes) const;

 private:
  template <class Requantize>
  void each(const int32_t* acc, size_t channels, int32_t* codes, Requantize requantize) const;
  void all_fixed(const int32_t* acc, size_t channels, int32_t* codes) const;
  void all_in_portions(const int32_t* acc, size_t channels, int32_t* codes) const;

  program::Requant requant_;
  program::Clamp clamp_;
  int32_t zero_point_;
};

}  // namespace lastbit
