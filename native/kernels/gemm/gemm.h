// SPDX-License-Identifier: Apache-2.0
// GEMM tiles: some rows of activations times one panel of packed weights, requantized.
//
// A panel holds `vectors` vectors of output channels. Its weights are packed [k / terms][vector]
// [lane][terms]; lane l of vector v is channel gemm_channel(vectors, v, l) of the panel, the order
// in which saturating packs put bytes back into channel order. Weights of channels and terms that
// do not exist are 0, so what activations hold there does not matter.
//
// Exact: sums are int32 modulo 2^32 in any order; conv/fast_conv.cc admits only layers for which
// that is the specification's accumulator.
#pragma once
#include <cstddef>
#include <cstdint>

#include "cpu.h"
#include "kernels/gemm/pairs.h"
#include "kernels/requant/epilogue.h"
#include "kernels/requant/floor_f32.h"

namespace lastbit {

// What one tile is made of.
struct TileArgs {
  // Activations: rows of operands, 4 bytes for each group of terms.
  struct Rows {
    const uint8_t* data = nullptr;   // the first row's
    ptrdiff_t stride = 0;            // bytes to the next row
    const int32_t* terms = nullptr;  // added to every channel of a row; may be null
    int32_t count = 0;               // for shapes that take fewer rows
  } rows;
  // Packed weights of some output channels and what becomes of their sums.
  struct Panel {
    const uint8_t* weights = nullptr;
    size_t groups = 0;                    // k / terms, rounded up
    const int32_t* bias = nullptr;        // one per channel, in lane order
    const int32_t* parameters = nullptr;  // form_slots(form) vectors for each vector of channels
    const uint8_t* lo = nullptr;  // one vector of bytes each, in channel order, repeated where the
    const uint8_t* hi = nullptr;  // panel is shorter; with 3 vectors: of 2, then of the third
    bool clamps = true;           // whether they change anything that saturating to u8 does not
    int32_t channels = 0;         // that exist; only kernels that store_part look at it
    // Groups of operands that are multiplied once more, by weights that follow the others: what the
    // few weights that leave s8 have too much. Bytes from the row's first operand.
    const int32_t* extras = nullptr;
    size_t extra_count = 0;
    // With pairs only. A vector of s16, all 2^prescale of the form (other kernels have that in
    // their weights); how the panel is packed.
    const int32_t* ones = nullptr;
    const PairPanel* pairs = nullptr;
  } panel;
  struct Output {
    uint8_t* data = nullptr;  // Form::raw: int32 accumulators in lane order
    ptrdiff_t stride = 0;     // bytes
    // For shapes that take fewer rows. Row `wrap` begins the next image row, and so does every
    // `width`th after it: each is `gap` bytes further.
    int32_t wrap = INT32_MAX, width = 0;
    ptrdiff_t gap = 0;
  } out;
  // For kernels with most_step: the groups are `steps` times `step_groups`; and with a RunState:
  // its memory.
  struct Amx {
    int32_t steps = 0, step_groups = 0;
    uint8_t* state = nullptr;
  } amx;
};
using Tile = void (*)(const TileArgs&);

// What tiles keep from one call to the next, in memory of the thread that runs them. Tiles that
// take_fewer rows may write their results as late as at the next tile or flush.
struct RunState {
  size_t bytes;
  void (*begin)(uint8_t* state);
  void (*flush)(uint8_t* state);  // all results are written, operands and row terms free
  void (*end)(uint8_t* state);    // after a flush
};

struct TileShape {
  int32_t rows, vectors;
  Tile tile[form_count];
  bool takes_fewer = false;  // any number of rows up to `rows`

  bool fits(int32_t count) const { return count == rows || takes_fewer; }
};

// Copies `count` pixels' operands for a dense convolution: pixel i reads, for each run r,
// run_bytes bytes at source + i * source_step + runs[r]. May read 15 bytes past a run and write
// 15 operands past a pixel's last one (later pixels overwrite them).
using Gather = void (*)(const uint8_t* source, ptrdiff_t source_step, const ptrdiff_t* runs,
                        size_t run_count, size_t run_bytes, uint8_t* operands,
                        ptrdiff_t operand_stride, int32_t count);
// Sums of k bytes of each row.
using RowSums = void (*)(const uint8_t* a, ptrdiff_t a_stride, size_t k, int32_t rows,
                         int32_t* sums);
// Reorders the weights of one packed panel, where the instructions want another order.
using Repack = void (*)(uint8_t* weights, size_t groups, int32_t vectors);

// One variant: what its tiles want to be fed, and by what. gemm_kernel of gemm/tile.inc fills in
// what every variant has; the others are named one by one.
struct GemmKernel {
  const char* name = nullptr;
  int32_t lanes = 0;
  int32_t terms = 0;          // products of one dot product: 2 (s16 operands) or 4 (u8 x s8)
  int32_t operand_bytes = 0;  // 2 or 1; with 1, activations are read in place where they lie right
  const TileShape* shapes =
      nullptr;  // by falling rows; the first of each `vectors` is the main one
  int32_t shape_count = 0;
  Gather gather = nullptr;
  RowSums row_sums = nullptr;     // may be null where operands have 2 bytes
  int32_t activation_offset = 0;  // what the tiles subtract from activations; part of the bias
  Repack repack = nullptr;        // may be null
  // Not null: panels are packed as pairs, and tiles take any number of rows up to their shape's.
  const PairSearch* pairs = nullptr;
  // For layers that pairs do not suit, or with fewer groups than least_groups; of equal
  // most_prescale.
  const GemmKernel* instead = nullptr;
  size_t least_groups = 0;
  // Not null: tiles have Form::floor_f32; this serves its proof.
  RemaindersOf remainders = nullptr;
  int32_t most_prescale = no_high_forms;
  // Tiles write in place even where the panel's last channels do not exist.
  bool stores_part = false;
  bool takes_extras = false;
  int32_t most_step = 1;            // groups that one instruction takes at most; see padded_groups
  const RunState* state = nullptr;  // may be null
  // The tiles of a slice should all have the same number of rows; the last ones may do some again.
  bool repeats_rows = false;
};

// Groups that one instruction takes, where `groups` are divided into as few equal steps as
// possible. For the last step to be whole, padded_groups more are packed, as zeros: less than
// most_step, so that tiles read no more than 4 * most_step bytes past a row's operands.
constexpr size_t step_groups(size_t groups, size_t most_step) {
  const size_t steps = (groups + most_step - 1) / most_step, step = (groups + steps - 1) / steps;
  return steps * step - groups < most_step ? step : most_step;
}
constexpr size_t padded_groups(size_t groups, size_t most_step) {
  const size_t step = step_groups(groups, most_step);
  return (groups + step - 1) / step * step;
}

constexpr int32_t gemm_channel(int32_t vectors, int32_t v, int32_t lane, int32_t lanes) {
  if (vectors == 3) return v < 2 ? gemm_channel(2, v, lane, lanes) : 2 * lanes + lane;
  return lane / 4 * (4 * vectors) + v * 4 + lane % 4;
}

#define VARIANT(name, needs) extern const GemmKernel name;
#include "kernels/gemm/saturating_variants.inc"
#include "kernels/gemm/variants.inc"
#undef VARIANT

// The best variant for the flags, or nullptr.
const GemmKernel* pick_gemm(uint32_t cpu_flags);
// Likewise where each pair of products saturates in s16 (`satPairs16`), in the order of the terms.
const GemmKernel* pick_saturating_gemm(uint32_t cpu_flags);

#if defined(__x86_64__) || defined(_M_X64)
extern const GemmKernel gemm_s16_avx2;  // the `instead` of gemm_u8s8_avx2
#endif

}  // namespace lastbit
