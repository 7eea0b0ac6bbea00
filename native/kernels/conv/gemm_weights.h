// SPDX-License-Identifier: Apache-2.0
// A layer's weights, biases, requantization parameters and clamps, packed as the tiles of its plan
// read them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/conv/gemm_plan.h"
#include "kernels/conv/pair_panels.h"
#include "kernels/conv/raw_finish.h"
#include "memory/aligned.h"

namespace lastbit {

// Whether all weights fit the operand of a u8 x s8 product without a correction.
bool fits_s8(const ConvPlan& plan);
// Whether so few weights leave s8 that extras for them cost less than sums of rows would.
bool are_few_extras(const ConvPlan& plan);

class GemmWeights {
 public:
  // `pairs`: the panels of a kernel that packs pairs; else none.
  GemmWeights(const ConvPlan& plan, const GemmPlan& gemm, std::vector<PairPanel> pairs);
  GemmWeights(const GemmWeights&) = delete;
  GemmWeights& operator=(const GemmWeights&) = delete;

  size_t panel_count() const { return panels_.size(); }
  // Bytes of one panel's weights, which those of the next panel follow.
  size_t panel_bytes(size_t panel) const;
  // What all tiles of a panel share.
  TileArgs::Panel tile_args(size_t panel) const;
  // With Form::raw only.
  const RawFinish& raw(size_t panel) const { return raw_[panel]; }
  const char* finish_name() const;

 private:
  struct Panel {
    PanelWidth width;
    size_t weights, lanes;        // offsets: in bytes, in lanes of all panels
    std::vector<int32_t> order;   // channel of the panel at each lane
    std::vector<int32_t> extras;  // of TileArgs
    bool clamps = false;          // likewise
  };

  size_t clamp_bytes() const { return static_cast<size_t>(gemm_.kernel.lanes) * 4; }  // of a vector
  void place_panels(const ConvPlan& plan);
  std::vector<int32_t> extras_of(const ConvPlan& plan, const PanelWidth& width) const;
  void operands_of(const int16_t* weights, uint8_t* row) const;
  void pack_panel(const ConvPlan& plan, size_t p, std::vector<uint8_t>* row);
  void pack_weights(const ConvPlan& plan, size_t p, std::vector<uint8_t>* row);
  void pack_extras(const ConvPlan& plan, const Panel& panel, uint8_t* packed) const;
  void pack_clamps(const ConvPlan& plan, size_t p);

  const GemmPlan& gemm_;          // outlives this
  std::vector<PairPanel> pairs_;  // their weights are in weights_
  std::vector<Panel> panels_;
  std::vector<RawFinish> raw_;    // by panel, for Form::raw
  alignas(64) int32_t ones_[16];  // two s16 of the scale each
  AlignedBytes weights_, bias_, parameters_, clamps_;
};

}  // namespace lastbit
