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

// In int16 throughout, which compilers turn into few instructions.
bool sums_ref(const int16_t* weights, Sums* sums) {
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

// Which items are still free, and how many free partners each has.
class Graph {
 public:
  Graph(const Sums* items, int count) : count_(count), free_((1u << count) - 1) {
    for (int i = 0; i < count; ++i) {
      for (int j = i + 1; j < count; ++j) {
        if (!safe_together(items[i], items[j])) continue;
        partners_[i] |= 1u << j;
        partners_[j] |= 1u << i;
      }
    }
  }
  uint32_t free() const { return free_; }
  // The item among `items` with fewest free partners, but at least one; -1 if there is none.
  int loneliest(uint32_t items) const {
    int found = -1, least = pair_block + 1;
    for (int i = 0; i < count_; ++i) {
      if ((items >> i & 1) == 0) continue;
      int degree = 0;
      for (uint32_t rest = partners_[i] & free_; rest != 0; rest &= rest - 1) ++degree;
      if (degree == 0 || degree >= least) continue;
      found = i;
      least = degree;
    }
    return found;
  }
  int partner_of(int item) const { return loneliest(partners_[item] & free_); }
  void remove(int item) { free_ &= ~(1u << item); }

 private:
  int count_;
  uint32_t partners_[pair_block] = {};
  uint32_t free_;
};

int couple_ref(PairSums* items, int count, PairCouple* couples, uint32_t* left) {
  Graph graph(items, count);
  int found = 0;
  for (int i = graph.loneliest(graph.free()); i >= 0; i = graph.loneliest(graph.free()), ++found) {
    const int j = graph.partner_of(i);
    couples[found] = {static_cast<uint8_t>(std::min(i, j)), static_cast<uint8_t>(std::max(i, j))};
    graph.remove(i);
    graph.remove(j);
  }
  *left = graph.free();
  return found;
}

void transpose_ref(const int16_t* from, size_t stride, const int32_t* lanes, size_t k,
                   int16_t* to) {
  for (int l = 0; l < pair_channels; ++l) {
    const int16_t* row = from + static_cast<size_t>(std::max(0, lanes[l])) * stride;
    for (size_t i = 0; i < k; ++i) to[i * pair_channels + l] = lanes[l] < 0 ? int16_t{0} : row[i];
  }
}

// One block of activations, divided. Places that do not exist have weights of 0 and fill gaps.
struct Block {
  Block(const int16_t* panel_weights, size_t at, size_t k)
      : weights(panel_weights + at * pair_channels),
        source(static_cast<uint32_t>(at)),
        count(static_cast<int>(std::min<size_t>(pair_block, k - at))),
        size(count > pair_block / 2 ? pair_block : pair_block / 2) {}

  const int16_t* weights;  // of the first activation
  uint32_t source;
  int count;  // of activations that exist
  int size;   // pair_block or half of it
  PairCouple pairs[pair_block / 2];
  int pair_count = 0;
  uint8_t doubled[pair_block / 2];  // pairs, four for each double
  int doubles = 0;
  uint8_t single[pair_block / 2];  // the other pairs
  int singles = 0;
  uint8_t wide[pair_block];  // activations without a partner
  int wides = 0;
};

void divide(const PairSearch& search, Block* block) {
  Sums sums[pair_block];
  uint8_t narrow[pair_block];
  int narrows = 0;
  for (int k = 0; k < block->size; ++k) {
    if (k >= block->count) {
      sums[narrows] = {};
    } else if (!search.sums(block->weights + k * pair_channels, &sums[narrows])) {
      block->wide[block->wides++] = static_cast<uint8_t>(k);
      continue;
    }
    narrow[narrows++] = static_cast<uint8_t>(k);
  }
  uint32_t left = 0;
  block->pair_count = search.couple(sums, narrows, block->pairs, &left);
  Sums pair_sums[pair_block];
  for (int p = 0; p < block->pair_count; ++p) {
    PairCouple& pair = block->pairs[p];
    pair_sums[p] = sum_of(sums[pair.first], sums[pair.second]);
    pair = {narrow[pair.first], narrow[pair.second]};
  }
  for (int i = 0; i < narrows; ++i) {
    if ((left >> i & 1) != 0) block->wide[block->wides++] = narrow[i];
  }
  PairCouple twice[pair_block / 4];
  const int found = search.couple(pair_sums, block->pair_count, twice, &left);
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

// Steps of a panel by kind.
class Steps {
 public:
  // A block's doubles, then its singles where eight operands of them or sixteen are there. What is
  // left is wide: on four singles and four wides, vpmaddubsw saves additions only.
  void add(Block* block) {
    if (block->doubles == 2) return add_pairs(PairKind::doubles, *block, {block->doubled, 8});
    const bool twice = block->doubles == 1;
    if (twice && block->singles == 4) {
      uint8_t pairs[pair_block / 2];
      std::copy_n(block->doubled, 4, pairs);
      std::copy_n(block->single, 4, pairs + 4);
      return add_pairs(PairKind::mixed, *block, {pairs, 8});
    }
    int taken = 0;
    if (twice) add_pairs(PairKind::half_doubles, *block, {block->doubled, 4});
    if (!twice && block->singles >= 4) {
      taken = block->singles == 8 ? 8 : 4;
      add_pairs(taken == 8 ? PairKind::singles : PairKind::half_singles, *block,
                {block->single, taken});
    }
    for (int i = taken; i < block->singles; ++i) {
      const PairCouple& pair = block->pairs[block->single[i]];
      block->wide[block->wides++] = pair.first;
      block->wide[block->wides++] = pair.second;
    }
    for (int i = 0; i < block->wides; i += 8) add_wides(*block, block->wide + i);
  }

  // Activations as they lie.
  void add_in_place(const Block& block) {
    uint8_t pairs[pair_block];
    for (int i = 0; i < block.size; ++i) pairs[i] = static_cast<uint8_t>(i);
    add_bytes(block.size == pair_block ? PairKind::doubles : PairKind::half_doubles, block, pairs);
  }

  // Weights of wides come times `wide_scale`.
  PairPanel pack(const int16_t* weights, int32_t channels, int32_t wide_scale) const;

 private:
  struct PairList {
    const uint8_t* first;
    int count;
  };

  void add_pairs(PairKind kind, const Block& block, PairList list) {
    uint8_t bytes[pair_block];
    for (int i = 0; i < list.count; ++i) {
      bytes[2 * i] = block.pairs[list.first[i]].first;
      bytes[2 * i + 1] = block.pairs[list.first[i]].second;
    }
    add_bytes(kind, block, bytes);
  }
  // As s16: the high bytes are 0.
  void add_wides(const Block& block, const uint8_t* wide) {
    uint8_t bytes[pair_block];
    for (int i = 0; i < pair_block / 2; ++i) {
      bytes[2 * i] = wide[i];
      bytes[2 * i + 1] = absent;
    }
    add_bytes(PairKind::wides, block, bytes);
  }
  void add_bytes(PairKind kind, const Block& block, const uint8_t* bytes) {
    PairStep step;
    step.source = block.source;
    for (int i = 0; i < 2 * pair_block; ++i) {
      const int place = i % pair_block;
      const bool exists = place < 4 * pair_groups(kind) && bytes[place] < block.count;
      step.order[i] = exists ? bytes[place] : absent;
    }
    of_kind_[static_cast<int>(kind)].push_back(step);
  }

  std::vector<PairStep> of_kind_[pair_kinds];
};

// Weights of four operands, [channel][4], little-endian; plain loops over 16-bit numbers again.
void pack_group(const int16_t* const* operands, size_t channels, uint8_t* to) {
  uint16_t words[2 * pair_channels];
  for (int c = 0; c < pair_channels; ++c) {
    words[2 * c] = static_cast<uint16_t>((operands[0][c] & 255) | operands[1][c] * 256);
    words[2 * c + 1] = static_cast<uint16_t>((operands[2][c] & 255) | operands[3][c] * 256);
  }
  std::memcpy(to, words, 4 * channels);
}

void pack_wide_group(const int16_t* const* operands, size_t channels, int32_t scale, uint8_t* to) {
  int16_t words[2 * pair_channels];
  for (int c = 0; c < pair_channels; ++c) {
    words[2 * c] = static_cast<int16_t>(operands[0][c] * scale);
    words[2 * c + 1] = static_cast<int16_t>(operands[2][c] * scale);
  }
  std::memcpy(to, words, 4 * channels);
}

PairPanel Steps::pack(const int16_t* weights, int32_t channels, int32_t wide_scale) const {
  static constexpr int16_t zeros[pair_channels] = {};
  PairPanel panel;
  panel.channels = channels;
  for (int kind = 0; kind < pair_kinds; ++kind) {
    panel.counts[kind] = of_kind_[kind].size();
    panel.steps.insert(panel.steps.end(), of_kind_[kind].begin(), of_kind_[kind].end());
  }
  panel.weights.resize(panel.weight_bytes());
  uint8_t* to = panel.weights.data();
  const auto width = static_cast<size_t>(channels);
  const PairStep* step = panel.steps.data();
  for (int kind = 0; kind < pair_kinds; ++kind) {
    const bool wide = static_cast<PairKind>(kind) == PairKind::wides;
    for (size_t n = panel.counts[kind]; n != 0; --n, ++step) {
      for (int group = 0; group < pair_groups(static_cast<PairKind>(kind)); ++group) {
        const int16_t* operands[4];
        for (int i = 0; i < 4; ++i) {
          const uint8_t place = step->order[4 * group + i];
          operands[i] = place == absent ? zeros : weights + (step->source + place) * pair_channels;
        }
        if (wide) {
          pack_wide_group(operands, width, wide_scale, to);
        } else {
          pack_group(operands, width, to);
        }
        to += 4 * width;
      }
    }
  }
  return panel;
}

// Activations as they lie, all in doubles but for the last few: possible where weights are small.
bool lies_right(const int16_t* weights, size_t k, const PairSearch& search) {
  for (size_t at = 0; at < k; at += 8) {
    Sums sums[2] = {};  // operands 0, 1, 4, 5 are added in s16, and so are 2, 3, 6, 7
    for (size_t i = 0; i < std::min<size_t>(8, k - at); ++i) {
      Sums& all = sums[i / 2 % 2];
      Sums one;
      if (!search.sums(weights + (at + i) * pair_channels, &one) || !safe_together(all, one)) {
        return false;
      }
      all = sum_of(all, one);
    }
  }
  return true;
}

}  // namespace

size_t PairPanel::weight_bytes() const {
  size_t groups = 0;
  for (int kind = 0; kind < pair_kinds; ++kind) {
    groups += counts[kind] * static_cast<size_t>(pair_groups(static_cast<PairKind>(kind)));
  }
  return groups * 4 * static_cast<size_t>(channels);
}

// As measured on Zen 3 in tiles of 3 x 24 and 4 x 16.
double PairPanel::cost() const {
  constexpr double of_kind[2][pair_kinds] = {{10.7, 11.6, 12.6, 5.6, 6.4, 8.4},
                                             {7.3, 8.0, 8.4, 3.8, 4.3, 5.6}};
  double cycles = 0;
  for (int kind = 0; kind < pair_kinds; ++kind) {
    cycles += of_kind[channels == 24 ? 0 : 1][kind] * static_cast<double>(counts[kind]);
  }
  return cycles;
}

const PairSearch pair_search_ref = {transpose_ref, sums_ref, couple_ref};

PairPanel plan_pairs(const int16_t* weights, size_t k, int32_t channels, const PairSearch& search,
                     int32_t wide_scale) {
  const bool in_place = lies_right(weights, k, search);
  Steps steps;
  for (size_t at = 0; at < k; at += pair_block) {
    Block block(weights, at, k);
    if (in_place) {
      steps.add_in_place(block);
    } else {
      divide(search, &block);
      steps.add(&block);
    }
  }
  return steps.pack(weights, channels, wide_scale);
}

}  // namespace lastbit
