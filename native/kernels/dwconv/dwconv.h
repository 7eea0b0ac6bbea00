// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution (one input channel for each output channel): one row of output pixels, one
// block of channels.
//
// A dot product takes `terms` taps of the same channel. Its weights are packed
// [group][part][vector] [lane][terms]; lane l of vector v is channel channel(vectors, v, l) of the
// block. `part` has two entries where weights minus their zero point leave s8 and are split into
// two addends (and cannot use the fourth term instead, DwArgs::repeated_row). Exact as gemm/gemm.h
// is.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels/requant/epilogue.h"
#include "kernels/requant/floor_f32.h"

namespace lastbit {

struct DwArgs {
  const uint8_t* in = nullptr;    // first tap of the first output pixel, first channel of the block
  ptrdiff_t in_row_stride = 0;    // bytes
  ptrdiff_t in_pixel_stride = 0;  // bytes
  ptrdiff_t step = 0;             // bytes between first taps of neighbouring output pixels
  const ptrdiff_t* taps = nullptr;  // offset of each tap, tap_groups * terms of them
  size_t tap_groups = 0;
  // 3x3 only, of kernels that repeat_row: the row that the fourth term of a column's dot product
  // has, in bytes from the first; two weights then share what one tap's leaves s8 by.
  ptrdiff_t repeated_row = 0;
  const uint8_t* weights = nullptr;
  const int32_t* bias = nullptr;
  const int32_t* parameters = nullptr;
  const uint8_t* lo = nullptr;  // one vector of bytes each
  const uint8_t* hi = nullptr;
  bool clamps = true;              // whether they change anything that saturating to u8 does not
  uint8_t* out = nullptr;          // Form::raw: int32 accumulators in lane order
  ptrdiff_t out_pixel_stride = 0;  // bytes
  ptrdiff_t out_row_stride = 0;    // bytes; of two_rows only
  int32_t width = 0;               // output pixels
  int32_t channels = 0;            // of the block that exist; more are read, none written
};
using DwRow = void (*)(const DwArgs&);

struct DwBlock {
  int32_t vectors;
  // [stride - 1][parts - 1][form]: dilation 1, reads no `taps`. Null: there are none.
  DwRow rows3x3[2][2][form_count];
  DwRow any[2][form_count];  // [parts - 1][form]: any kernel, by its taps
  // 3x3, stride 1, one part, nothing repeated: two output rows at once, by two sets of weights.
  // Each column's dot products have four input rows; the second set's weights stand one row lower.
  DwRow two_rows[form_count] = {};
};

struct DwKernel {
  const char* name;
  const char* name_any;
  int32_t lanes;
  int32_t terms;
  int32_t operand_bytes;  // of a weight: 2 (weights minus zero point always fit) or 1
  const DwBlock* blocks;  // by falling size
  int32_t block_count;
  int32_t (*channel)(int32_t vectors, int32_t v, int32_t lane);
  int32_t activation_offset = 0;  // what the rows subtract from activations; part of the bias
  // Not null: rows have Form::floor_f32; this serves its proof.
  RemaindersOf remainders = nullptr;
  int32_t most_prescale = no_high_forms;  // with operands of 2 bytes: their weights are scaled
  bool repeats_row = false;               // reads DwArgs::repeated_row
};

#define VARIANT(name, needs) extern const DwKernel name;
#include "kernels/dwconv/saturating_variants.inc"
#include "kernels/dwconv/variants.inc"
#undef VARIANT

// The best variant for the flags, or nullptr.
const DwKernel* pick_dwconv(uint32_t cpu_flags);
// Likewise where each pair of products saturates in s16 (`satPairs16`), in the order of the terms.
const DwKernel* pick_saturating_dwconv(uint32_t cpu_flags);

}  // namespace lastbit
