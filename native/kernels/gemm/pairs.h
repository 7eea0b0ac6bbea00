// SPDX-License-Identifier: Apache-2.0
// Panels for vpmaddubsw, which multiplies u8 by s8 twice as densely as vpmaddwd multiplies s16 but
// adds neighbouring products in s16, saturating. A panel is packed so that no such sum can
// saturate, whatever the activations, and nothing is lost:
//
// A pair of activations (x0, x1), each in [0, 255], is safe for a channel if its positive weights
// sum to at most 128 and its negative ones to at least -128, since 255 * 128 <= 32767. Activations
// of a block of 16 are paired so that every pair is safe for all 16 channels of the panel. Where
// two pairs are safe together, their s16 sums are added before they are widened: a double. What
// finds no partner, or has a weight beyond s8, is widened and multiplied by vpmaddwd.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "memory/uninitialized.h"

namespace lastbit {

constexpr int32_t pair_channels = 24;  // of the widest panel; narrower ones have 16
constexpr int32_t pair_block = 16;     // activations that one shuffle reaches
constexpr int32_t pair_part_rows = 4;  // that a tile computes together, at most

// What a step multiplies, in groups of four operands:
//   double  2 groups: four pairs; the products of the last two are added to the first two's
//   single  1 group: two pairs
//   wide    1 group: two activations as s16, weights s16
// A panel has its steps in this order of kinds.
enum class PairKind : uint8_t {
  doubles,       // two doubles
  mixed,         // a double, then two singles
  singles,       // four singles
  half_doubles,  // one double
  half_singles,  // two singles
  wides,         // four wides
};
constexpr int pair_kinds = 6;
constexpr int pair_groups(PairKind kind) {
  return kind == PairKind::half_doubles || kind == PairKind::half_singles ? 2 : 4;
}

// Operands of a step, from sixteen neighbouring activations.
struct PairStep {
  uint32_t source;                // the first activation
  uint8_t order[2 * pair_block];  // operand's place among them, or 0x80: 0; both halves alike
};

struct PairPanel {
  int32_t channels = pair_channels;  // 16 or 24
  size_t counts[pair_kinds] = {};    // steps of each kind
  std::vector<PairStep> steps;
  Uninitialized<uint8_t> weights;  // of each step: [group][channel][4]

  size_t weight_bytes() const;
  // Cycles for one row of activations.
  double cost() const;
};

// The same for k activations that are widened once for all panels, all by vpmaddwd.
constexpr double widened_cost(size_t k, int32_t channels) {
  return (channels == 24 ? 0.95 : 0.63) * static_cast<double>(k);
}

// Magnitudes of weights that are added in s16: positive ones by channel, then negative ones.
struct PairSums {
  uint8_t by_sign[2 * pair_channels];
};
constexpr uint8_t pair_most = 128;  // of one sign; 255 * 128 <= 32767

struct PairCouple {
  uint8_t first, second;  // in rising order
};

// What planning costs, by instruction set; all give the same.
struct PairSearch {
  // [rows][pair_channels] from rows of `from`, `stride` apart: lane l has row lanes[l]; where that
  // is negative, 0. `k` activations.
  void (*transpose)(const int16_t* from, size_t stride, const int32_t* lanes, size_t k,
                    int16_t* to);
  // Sums of one activation's weights; false if one leaves s8.
  bool (*sums)(const int16_t* weights, PairSums* sums);
  // Couples items that are safe together, as each is by itself: always the item with fewest
  // possible partners, with that partner which has fewest itself; of equals the first. Returns the
  // number of couples; `left` holds a bit for every other item. count <= pair_block; `items` has
  // room for so many, and what is behind the last one may be overwritten.
  int (*couple)(PairSums* items, int count, PairCouple* couples, uint32_t* left);
};
extern const PairSearch pair_search_ref;

// `weights`: [k][pair_channels], each within [-16384, 16384], of which the panel has the first
// `channels`; the others must be 0. Those of wides are packed times
// `wide_scale`, which must leave them in s16; tiles scale the other products (TileArgs::ones).
PairPanel plan_pairs(const int16_t* weights, size_t k, int32_t channels = pair_channels,
                     const PairSearch& search = pair_search_ref, int32_t wide_scale = 1);

}  // namespace lastbit
