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

namespace lastbit {

constexpr int32_t pair_channels = 24;  // of the widest panel; narrower ones have 16
constexpr int32_t pair_block = 16;     // activations that one shuffle reaches

// Twice sixteen bytes of operands, each from sixteen neighbouring activations; `advance` of the
// bytes count, what is written beyond is overwritten by the next step.
struct PermuteStep {
  uint32_t source[2];
  uint32_t advance;
  uint8_t shuffle[2 * pair_block];  // byte of the source, or 0x80: 0
};

// Operands and weights of a panel, in this order:
//   doubles  8 bytes each: four pairs; the products of the last two are added to the first two's
//   mixed    16 bytes: a double, then two singles
//   singles  4 bytes: two pairs
//   wides    4 bytes: two activations as s16, weights s16
struct PairPanel {
  int32_t channels = pair_channels;  // 16 or 24
  size_t doubles = 0, mixed = 0, singles = 0, wides = 0;
  std::vector<PermuteStep> steps;  // empty: the operands are the activations as they lie
  std::vector<uint8_t> weights;    // [operand bytes / 4][channel][4]

  size_t operand_bytes() const { return 8 * doubles + 16 * mixed + 4 * (singles + wides); }
  // Instructions for one row of activations.
  double cost() const;
};

// The same for k activations that are widened once for all panels, all by vpmaddwd.
constexpr double widened_cost(size_t k, int32_t channels) {
  return (channels == 24 ? 4.2 : 3.1) * static_cast<double>(k);
}

// Magnitudes of weights that are added in s16: positive ones by channel, then negative ones.
struct PairSums {
  uint8_t by_sign[2 * pair_channels];
};
constexpr uint8_t pair_most = 128;  // of one sign; 255 * 128 <= 32767

// Sets bit j of partners[i], and bit i of partners[j], where items i and j are safe together; each
// is by itself. count <= pair_block. The search for partners is what planning costs.
using PairPartners = void (*)(const PairSums* items, int count, uint32_t* partners);
void pair_partners_ref(const PairSums* items, int count, uint32_t* partners);

// `weights`: [k][pair_channels], each within [-16384, 16384], of which the panel has the first
// `channels`; the others must be 0. Those of wides are packed times
// `wide_scale`, which must leave them in s16; tiles scale the other products (TileArgs::scale).
PairPanel plan_pairs(const int16_t* weights, size_t k, int32_t channels = pair_channels,
                     PairPartners partners = pair_partners_ref, int32_t wide_scale = 1);

}  // namespace lastbit
