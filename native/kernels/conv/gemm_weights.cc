// SPDX-License-Identifier: Apache-2.0
#include "kernels/conv/gemm_weights.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace lastbit {
namespace {

int32_t within_s8(int32_t weight) { return std::clamp(weight, -128, 127); }

// One loop over 16-bit numbers, which compilers vectorize: most channels have no weight beyond s8.
bool leave_s8(const int16_t* weights, size_t count) {
  int16_t least = 0, greatest = 0;
  for (size_t i = 0; i < count; ++i) {
    least = std::min(least, weights[i]);
    greatest = std::max(greatest, weights[i]);
  }
  return least < -128 || greatest > 127;
}

}  // namespace

bool fits_s8(const ConvPlan& plan) {
  return plan.least_weight >= -128 && plan.greatest_weight <= 127;
}

bool are_few_extras(const ConvPlan& plan) {
  size_t count = 0;
  for (size_t oc = 0; oc < size_t(plan.out_channels); ++oc) {
    const int16_t* weights = &plan.weights[oc * plan.reduction];
    if (!leave_s8(weights, plan.reduction)) continue;
    for (size_t k = 0; k < plan.reduction; ++k) count += weights[k] != within_s8(weights[k]);
  }
  // In products of a group with a tile, some 14 cycles: sums of a tile's rows, and adding them to
  // the accumulators of each panel.
  return count <= plan.reduction / 64 + 2 + size_t(plan.out_channels) / 32;
}

GemmWeights::GemmWeights(const ConvPlan& plan, const GemmPlan& gemm, std::vector<PairPanel> pairs)
    : gemm_(gemm), pairs_(std::move(pairs)) {
  std::fill_n(ones_, 16, gemm.scale * 0x00010001);
  place_panels(plan);
  std::vector<uint8_t> row(gemm.terms.groups * 4);
  for (size_t p = 0; p < panels_.size(); ++p) pack_panel(plan, p, &row);
}

size_t GemmWeights::panel_bytes(size_t panel) const {
  if (!pairs_.empty()) return pairs_[panel].weight_bytes();
  const size_t groups = gemm_.terms.groups + panels_[panel].extras.size();
  return groups * 4 * static_cast<size_t>(gemm_.channels_of(panels_[panel].width));
}

TileArgs::Panel GemmWeights::tile_args(size_t p) const {
  const Panel& panel = panels_[p];
  TileArgs::Panel args;
  args.weights = weights_.get() + panel.weights;
  args.groups = gemm_.terms.groups;
  args.bias = reinterpret_cast<const int32_t*>(bias_.get()) + panel.lanes;
  args.parameters = reinterpret_cast<const int32_t*>(parameters_.get()) +
                    panel.lanes * size_t(form_slots(gemm_.form));
  args.lo = clamps_.get() + p * 4 * clamp_bytes();
  args.hi = args.lo + 2 * clamp_bytes();
  args.clamps = panel.clamps;
  args.channels =
      std::min(gemm_.channels_of(panel.width), gemm_.layer.out_channels - panel.width.first);
  args.extras = panel.extras.data();
  args.extra_count = panel.extras.size();
  args.ones = ones_;
  if (!pairs_.empty()) args.pairs = &pairs_[p];
  return args;
}

const char* GemmWeights::finish_name() const {
  return raw_.empty() ? form_name(gemm_.form) : raw_[0].name();
}

void GemmWeights::place_panels(const ConvPlan& plan) {
  size_t weights = 0, lanes = 0;
  for (const PanelWidth& width : gemm_.tiles.panels) {
    const int32_t channels = gemm_.channels_of(width);
    Panel panel{width, weights, lanes, {}, extras_of(plan, width)};
    for (int32_t i = 0; i < channels; ++i) {
      const int32_t v = i / gemm_.kernel.lanes,
                    lane = plan.accumulator_lane(i % gemm_.kernel.lanes);
      panel.order.push_back(gemm_channel(width.vectors, v, lane, gemm_.kernel.lanes));
    }
    panels_.push_back(std::move(panel));
    weights += panel_bytes(panels_.size() - 1);
    lanes += size_t(channels);
  }
  weights_ = aligned_bytes(weights + 64);
  bias_ = aligned_bytes(lanes * 4);
  parameters_ = aligned_bytes(lanes * size_t(form_slots(gemm_.form)) * 4 + 64);
  clamps_ = aligned_bytes(panels_.size() * 4 * clamp_bytes());
}

// The groups of operands that take an extra one for what within_s8 cuts off a channel's weight,
// each as often as it has to.
std::vector<int32_t> GemmWeights::extras_of(const ConvPlan& plan, const PanelWidth& width) const {
  if (!gemm_.kernel.takes_extras || gemm_.layer.correction != 0 || fits_s8(plan)) return {};
  const int32_t end = std::min(width.first + gemm_.channels_of(width), gemm_.layer.out_channels);
  std::vector<int32_t> count(gemm_.terms.groups, 0);
  for (int32_t oc = width.first; oc < end; ++oc) {
    const int16_t* weights = &plan.weights[size_t(oc) * gemm_.layer.reduction];
    if (!leave_s8(weights, gemm_.layer.reduction)) continue;
    for (size_t k = 0; k < gemm_.layer.reduction; ++k) {
      int32_t& n = count[k / size_t(gemm_.kernel.terms)];
      for (int32_t cut = 0, v = weights[k]; v != within_s8(v); v -= within_s8(v))
        n = std::max(n, ++cut);
    }
  }
  std::vector<int32_t> extras;
  for (size_t g = 0; g < gemm_.terms.groups; ++g)
    extras.insert(extras.end(), size_t(count[g]), int32_t(g * 4));
  return extras;
}

// One channel's weights as the kernel's operands, in groups of 4 bytes; `row` starts out as zeros.
void GemmWeights::operands_of(const int16_t* weights, uint8_t* row) const {
  if (gemm_.kernel.operand_bytes == 2) {
    auto* scaled = reinterpret_cast<int16_t*>(row);
    for (size_t k = 0; k < gemm_.layer.reduction; ++k)
      scaled[k] = static_cast<int16_t>(weights[k] * gemm_.scale);
    return;
  }
  // 16 bits throughout: baseline code has least and greatest of these in one instruction.
  const auto correction = static_cast<int16_t>(gemm_.layer.correction);
  for (size_t k = 0; k < gemm_.layer.reduction; ++k) {
    const auto w = static_cast<int16_t>(weights[k] - correction);
    row[k] = static_cast<uint8_t>(std::max<int16_t>(-128, std::min<int16_t>(w, 127)));
  }
}

void GemmWeights::pack_panel(const ConvPlan& plan, size_t p, std::vector<uint8_t>* row) {
  const Panel& panel = panels_[p];
  if (gemm_.form == Form::raw) raw_.emplace_back(plan, panel.width.first, panel.order);
  std::vector<int32_t> lane_channels(panel.order.size(), -1);
  for (size_t i = 0; i < panel.order.size(); ++i) {
    const int32_t oc = panel.width.first + panel.order[i];
    if (oc >= gemm_.layer.out_channels) continue;
    lane_channels[i] = oc;
    const int32_t bias =
        plan.bias_for(size_t(oc), gemm_.kernel.activation_offset, gemm_.layer.correction);
    std::memcpy(bias_.get() + (panel.lanes + i) * 4, &bias, 4);
  }
  pack_weights(plan, p, row);
  auto* parameters = reinterpret_cast<int32_t*>(parameters_.get());
  for (size_t i = 0; i < panel.order.size(); i += size_t(gemm_.kernel.lanes)) {
    pack_parameters(plan.epilogue, &lane_channels[i], gemm_.kernel.lanes,
                    parameters + (panel.lanes + i) * size_t(form_slots(gemm_.form)));
  }
  pack_clamps(plan, p);
}

void GemmWeights::pack_weights(const ConvPlan& plan, size_t p, std::vector<uint8_t>* row) {
  const Panel& panel = panels_[p];
  uint8_t* packed = weights_.get() + panel.weights;
  if (!pairs_.empty()) {
    Uninitialized<uint8_t>& weights = pairs_[p].weights;
    std::memcpy(packed, weights.data(), weights.size());
    weights = {};
    return;
  }
  const size_t step = panel.order.size() * 4;
  for (size_t i = 0; i < panel.order.size(); ++i) {
    const size_t oc = size_t(panel.width.first + panel.order[i]);
    if (oc >= size_t(gemm_.layer.out_channels)) continue;
    operands_of(&plan.weights[oc * gemm_.layer.reduction], row->data());
    for (size_t g = 0; g < gemm_.terms.groups; ++g) {
      std::memcpy(packed + g * step + i * 4, row->data() + g * 4, 4);
    }
  }
  pack_extras(plan, panel, packed + gemm_.terms.groups * step);
  if (gemm_.kernel.repack != nullptr)
    gemm_.kernel.repack(packed, gemm_.terms.groups, panel.width.vectors);
}

void GemmWeights::pack_extras(const ConvPlan& plan, const Panel& panel, uint8_t* packed) const {
  size_t cut = 0;  // how often the group has been had
  for (size_t e = 0; e < panel.extras.size(); ++e, packed += panel.order.size() * 4) {
    cut = e > 0 && panel.extras[e] == panel.extras[e - 1] ? cut + 1 : 1;
    const auto first = size_t(panel.extras[e]);
    for (size_t i = 0; i < panel.order.size(); ++i) {
      const size_t oc = size_t(panel.width.first + panel.order[i]);
      if (oc >= size_t(gemm_.layer.out_channels)) continue;
      for (size_t k = first; k < std::min(first + 4, gemm_.layer.reduction); ++k) {
        int32_t v = plan.weights[oc * gemm_.layer.reduction + k];
        for (size_t n = 0; n < cut; ++n) v -= within_s8(v);
        packed[i * 4 + k - first] = static_cast<uint8_t>(within_s8(v));
      }
    }
  }
}

// Two vectors of bytes for each of both bounds; the second serves the third vector of channels.
void GemmWeights::pack_clamps(const ConvPlan& plan, size_t p) {
  const size_t vector = clamp_bytes();
  const PanelWidth& width = panels_[p].width;
  uint8_t* lo = clamps_.get() + p * 4 * vector;
  uint8_t* hi = lo + 2 * vector;
  const auto lanes = static_cast<size_t>(gemm_.kernel.lanes);
  const size_t first_part = lanes * size_t(width.vectors == 3 ? 2 : width.vectors);
  for (size_t i = 0; i < 2 * vector; ++i) {
    const size_t place = i < vector ? i % first_part : first_part + i % lanes;
    const size_t oc = size_t(width.first) + place;
    const bool exists = oc < size_t(gemm_.layer.out_channels);
    lo[i] = exists ? plan.epilogue.channels[oc].lo : 0;
    hi[i] = exists ? plan.epilogue.channels[oc].hi : 255;
    panels_[p].clamps = panels_[p].clamps || lo[i] > 0 || hi[i] < 255;
  }
}

}  // namespace lastbit
