// SPDX-License-Identifier: Apache-2.0
#include "kernels/gemm/pairs.h"

#include <algorithm>
#include <cstring>

namespace lastbit {
namespace {

using Sums = PairSums;

constexpr uint8_t absent = 0x80;  // source of an operand that is always 0

// Whether both together stay within pair_most everywhere, as each does by itself.
bool safe_together(const Sums& a, const Sums& b) {
  uint8_t over = 0;
  for (int i = 0; i < 2 * pair_channels; ++i) {
    const auto room = static_cast<uint8_t>(pair_most - b.by_sign[i]);
    over = static_cast<uint8_t>(over | (std::max(a.by_sign[i], room) ^ room));
  }
  return over == 0;
}

Sums sum_of(const Sums& a, const Sums& b) {
  Sums sum;
  for (int i = 0; i < 2 * pair_channels; ++i) {
    sum.by_sign[i] = static_cast<uint8_t>(a.by_sign[i] + b.by_sign[i]);
  }
  return sum;
}

// False if a weight leaves s8. In int16 throughout, which compilers turn into few instructions.
bool sums_of(const int16_t* weights, Sums* sums) {
  int16_t positive[pair_channels], negative[pair_channels], least = 0, greatest = 0;
  for (int c = 0; c < pair_channels; ++c) {
    const int16_t w = weights[c];
    least = std::min(least, w);
    greatest = std::max(greatest, w);
    positive[c] = std::max<int16_t>(w, 0);
    negative[c] = std::max<int16_t>(static_cast<int16_t>(-w), 0);
  }
  for (int c = 0; c < pair_channels; ++c) {
    sums->by_sign[c] = static_cast<uint8_t>(positive[c]);
    sums->by_sign[pair_channels + c] = static_cast<uint8_t>(negative[c]);
  }
  return least >= -128 && greatest <= 127;
}

struct Couple {
  uint8_t first, second;
};

// Which items are still free, and how many free partners each has. Plain loops over 16-bit
// numbers, which compilers turn into a few vector instructions.
class Graph {
 public:
  Graph(const Sums* items, int count, PairPartners find) {
    uint32_t partners[pair_block] = {};
    find(items, count, partners);
    for (int i = 0; i < pair_block; ++i) {
      const auto mask = static_cast<uint16_t>(partners[i]);
      for (int j = 0; j < pair_block; ++j) {
        linked_[i][j] = (mask & static_cast<uint16_t>(1u << j)) != 0 ? 1 : 0;
      }
      free_[i] = i < count ? 1 : 0;
    }
    for (int i = 0; i < pair_block; ++i) {
      for (int j = 0; j < pair_block; ++j) {
        degree_[j] = static_cast<int16_t>(degree_[j] + linked_[i][j]);
      }
    }
  }

  bool is_free(int item) const { return free_[item] != 0; }
  // The free item with fewest free partners, but at least one; -1 if there is none.
  int loneliest() const { return fewest(free_); }
  // Its partner with fewest free partners.
  int partner_of(int item) const {
    int16_t among[pair_block];
    for (int i = 0; i < pair_block; ++i) {
      among[i] = static_cast<int16_t>(linked_[item][i] & free_[i]);
    }
    return fewest(among);
  }
  void remove(int item) {
    free_[item] = 0;
    for (int i = 0; i < pair_block; ++i) {
      degree_[i] = static_cast<int16_t>(degree_[i] - linked_[item][i]);
    }
  }

 private:
  int fewest(const int16_t* among) const {
    int16_t least = INT16_MAX;
    for (int i = 0; i < pair_block; ++i) {
      const auto key = static_cast<int16_t>(degree_[i] * pair_block + i);
      const int16_t closed = among[i] != 0 && degree_[i] != 0 ? 0 : INT16_MAX;
      least = std::min(least, static_cast<int16_t>(key | closed));
    }
    return least == INT16_MAX ? -1 : least % pair_block;
  }

  int16_t linked_[pair_block][pair_block];
  int16_t free_[pair_block];
  int16_t degree_[pair_block] = {};
};

// Couples items that are safe together: always the item with fewest possible partners, with that
// partner which has fewest itself. Returns their number; `left` holds a bit for every other item.
int couple(const Sums* items, int count, PairPartners find, Couple* couples, uint32_t* left) {
  Graph graph(items, count, find);
  int found = 0;
  for (int i = graph.loneliest(); i >= 0; i = graph.loneliest(), ++found) {
    const int j = graph.partner_of(i);
    couples[found] = {static_cast<uint8_t>(std::min(i, j)), static_cast<uint8_t>(std::max(i, j))};
    graph.remove(i);
    graph.remove(j);
  }
  *left = 0;
  for (int i = 0; i < count; ++i) *left |= static_cast<uint32_t>(graph.is_free(i)) << i;
  return found;
}

// One block of activations, divided.
struct Block {
  Couple pairs[pair_block / 2];
  int pair_count = 0;
  uint8_t doubled[pair_block / 2];  // pairs, four for each double
  int doubles = 0;
  uint8_t single[pair_block / 2];  // the other pairs
  int singles = 0;
  uint8_t wide[pair_block];  // activations without a partner
  int wides = 0;
};

void divide(const int16_t* weights, int count, PairPartners find, Block* block) {
  Sums sums[pair_block];
  uint8_t narrow[pair_block];
  int narrows = 0;
  for (int k = 0; k < count; ++k) {
    if (sums_of(weights + k * pair_channels, &sums[narrows])) {
      narrow[narrows++] = static_cast<uint8_t>(k);
    } else {
      block->wide[block->wides++] = static_cast<uint8_t>(k);
    }
  }
  uint32_t left = 0;
  block->pair_count = couple(sums, narrows, find, block->pairs, &left);
  Sums pair_sums[pair_block / 2];
  for (int p = 0; p < block->pair_count; ++p) {
    Couple& pair = block->pairs[p];
    pair_sums[p] = sum_of(sums[pair.first], sums[pair.second]);
    pair = {narrow[pair.first], narrow[pair.second]};
  }
  for (int i = 0; i < narrows; ++i) {
    if ((left >> i & 1) != 0) block->wide[block->wides++] = narrow[i];
  }
  Couple twice[pair_block / 4];
  const int found = couple(pair_sums, block->pair_count, find, twice, &left);
  for (int i = 0; i + 1 < found; i += 2, ++block->doubles) {
    uint8_t* to = block->doubled + 4 * block->doubles;
    to[0] = twice[i].first;
    to[1] = twice[i + 1].first;
    to[2] = twice[i].second;
    to[3] = twice[i + 1].second;
  }
  if (found % 2 != 0) left |= 1u << twice[found - 1].first | 1u << twice[found - 1].second;
  for (int p = 0; p < block->pair_count; ++p) {
    if ((left >> p & 1) != 0) block->single[block->singles++] = static_cast<uint8_t>(p);
  }
}

// Operands of one kind over the blocks: bytes with the activation each comes from, or `absent`.
class Operands {
 public:
  void add_pairs(const Block& block, size_t at, const uint8_t* pairs, int count) {
    for (int i = 0; i < count; ++i) {
      bytes_.push_back({at, block.pairs[pairs[i]].first});
      bytes_.push_back({at, block.pairs[pairs[i]].second});
    }
  }
  // As s16: the high byte is 0.
  void add_wide(size_t at, uint8_t source) {
    bytes_.push_back({at, source});
    bytes_.push_back({at, absent});
  }
  void fill() {
    while (bytes_.size() % 4 != 0) bytes_.push_back({bytes_.back().block, absent});
  }
  size_t size() const { return bytes_.size(); }

  // Wides hold their weights as s16, times `wide_scale`; for the others it is 0.
  void append_to(const int16_t* weights, int32_t wide_scale, PairPanel* panel) const {
    const size_t at = panel->weights.size();
    const auto channels = static_cast<size_t>(panel->channels);
    panel->weights.resize(at + bytes_.size() * channels);
    for (size_t i = 0; i < bytes_.size(); ++i) {
      const Byte& byte = bytes_[i];
      if (byte.source == absent) continue;
      const int16_t* from = weights + (byte.block + byte.source) * pair_channels;
      uint8_t* to = &panel->weights[at + i / 4 * 4 * channels + i % 4];
      for (size_t c = 0; c < channels; ++c) {
        const auto w = static_cast<int16_t>(wide_scale == 0 ? from[c] : from[c] * wide_scale);
        std::memcpy(to + 4 * c, &w, wide_scale == 0 ? 1 : 2);  // little-endian
      }
    }
    for (size_t i = 0; i < bytes_.size();) i += append_half(i, panel);
  }

 private:
  struct Byte {
    size_t block;  // first activation of its block
    uint8_t source;
  };

  // As many operands from `first` on as come from one block; returns their number. They are the
  // second half of the last step if its first half is full.
  size_t append_half(size_t first, PairPanel* panel) const {
    const auto source = static_cast<uint32_t>(bytes_[first].block);
    const bool second = !panel->steps.empty() && panel->steps.back().advance == pair_block;
    if (!second) {
      panel->steps.push_back({{source, source}, 0, {}});
      std::fill_n(panel->steps.back().shuffle, 2 * pair_block, absent);
    }
    PermuteStep& step = panel->steps.back();
    step.source[second ? 1 : 0] = source;
    uint8_t* shuffle = step.shuffle + (second ? pair_block : 0);
    size_t i = 0;
    for (; i < pair_block && first + i < bytes_.size(); ++i) {
      if (bytes_[first + i].block != source) break;
      shuffle[i] = bytes_[first + i].source;
    }
    step.advance += static_cast<uint32_t>(i);
    return i;
  }

  std::vector<Byte> bytes_;
};

// Activations as they lie, all in doubles but for the last few: possible where weights are small.
bool lies_right(const int16_t* weights, size_t k) {
  for (size_t at = 0; at < k; at += 8) {
    Sums sums[2] = {};  // operands 0, 1, 4, 5 are added in s16, and so are 2, 3, 6, 7
    for (size_t i = 0; i < std::min<size_t>(8, k - at); ++i) {
      Sums& all = sums[i / 2 % 2];
      Sums one;
      if (!sums_of(weights + (at + i) * pair_channels, &one) || !safe_together(all, one)) {
        return false;
      }
      all = sum_of(all, one);
    }
  }
  return true;
}

PairPanel plan_in_place(const int16_t* weights, size_t k, int32_t channels) {
  PairPanel panel;
  panel.channels = channels;
  panel.doubles = k / 8;
  panel.singles = (k % 8 + 3) / 4;
  const auto width = static_cast<size_t>(channels);
  panel.weights.resize(panel.operand_bytes() * width);
  for (size_t i = 0; i < k; ++i) {
    for (size_t c = 0; c < width; ++c) {
      panel.weights[(i / 4 * width + c) * 4 + i % 4] =
          static_cast<uint8_t>(weights[i * pair_channels + c]);
    }
  }
  return panel;
}

}  // namespace

// As counted in the loops of gemm/multiply_pairs.inc for tiles of 4 rows.
double PairPanel::cost() const {
  const bool three = channels == 24;
  const double of_double = three ? 18 : 13.5, of_mixed = three ? 38 : 28.5,
               of_single = three ? 11 : 8, of_wide = three ? 8 : 6.5, of_step = 5.5;
  return of_double * static_cast<double>(doubles) + of_mixed * static_cast<double>(mixed) +
         of_single * static_cast<double>(singles) + of_wide * static_cast<double>(wides) +
         of_step * static_cast<double>(steps.size());
}

void pair_partners_ref(const PairSums* items, int count, uint32_t* partners) {
  for (int i = 0; i < count; ++i) {
    for (int j = i + 1; j < count; ++j) {
      if (!safe_together(items[i], items[j])) continue;
      partners[i] |= uint32_t{1} << j;
      partners[j] |= uint32_t{1} << i;
    }
  }
}

PairPanel plan_pairs(const int16_t* weights, size_t k, int32_t channels, PairPartners partners,
                     int32_t wide_scale) {
  if (lies_right(weights, k)) return plan_in_place(weights, k, channels);
  Operands doubles, mixed, singles, wides;
  for (size_t at = 0; at < k; at += pair_block) {
    Block block;
    divide(weights + at * pair_channels, static_cast<int>(std::min<size_t>(pair_block, k - at)),
           partners, &block);
    const bool mix = block.doubles == 1 && block.singles == 4;
    (mix ? mixed : doubles).add_pairs(block, at, block.doubled, 4 * block.doubles);
    (mix ? mixed : singles).add_pairs(block, at, block.single, block.singles);
    for (int i = 0; i < block.wides; ++i) wides.add_wide(at, block.wide[i]);
  }
  singles.fill();
  wides.fill();
  PairPanel panel;
  panel.channels = channels;
  panel.weights.reserve((doubles.size() + mixed.size() + singles.size() + wides.size()) *
                        static_cast<size_t>(channels));
  panel.doubles = doubles.size() / 8;
  panel.mixed = mixed.size() / 16;
  panel.singles = singles.size() / 4;
  panel.wides = wides.size() / 4;
  doubles.append_to(weights, 0, &panel);
  mixed.append_to(weights, 0, &panel);
  singles.append_to(weights, 0, &panel);
  wides.append_to(weights, wide_scale, &panel);
  return panel;
}

}  // namespace lastbit
