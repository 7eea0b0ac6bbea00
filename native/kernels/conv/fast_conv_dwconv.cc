// SPDX-License-Identifier: Apache-2.0
// Depthwise convolutions: blocks of channels, row by row. A panel is a block.
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/conv/fast_conv_plan.h"
#include "kernels/conv/raw_finish.h"
#include "kernels/dwconv/dwconv.h"
#include "memory/aligned.h"

namespace lastbit {
namespace {

int32_t within_s8(int32_t weight) { return std::clamp(weight, -128, 127); }

class DepthwiseConv final : public FastConv {
 public:
  DepthwiseConv(const ConvPlan& plan, const DwKernel& kernel);

  Pads input_halo() const override { return halo_; }
  size_t scratch_bytes() const override { return scratch_bytes_; }
  int32_t panel_count() const override { return static_cast<int32_t>(panels_.size()); }
  bool split_by_panel() const override {
    return out_height_ * out_width_ <= 64 && panels_.size() > 1;
  }
  const char* name() const override { return name_.c_str(); }
  void run(const View& in, const View& out, const Slice& slice, uint8_t* scratch) const override;

 private:
  struct Panel {
    const DwBlock* block;
    int32_t first, channels;
    size_t weights, bias, parameters, clamps;  // offsets in bytes
    std::vector<int32_t> order;
    int32_t parts = 1;             // addends of a weight
    int32_t repeated = -1;         // row of the kernel (DwArgs::repeated_row), or none
    bool clamps_anything = false;  // DwArgs::clamps
  };

  void divide_channels(int32_t channels);
  void pack(const ConvPlan& plan);
  void divide_weights(const ConvPlan& plan, Panel* panel) const;
  int32_t operand(const Panel& panel, const int16_t* weights, size_t tap, size_t part) const;
  bool takes_two_rows(const Panel& panel) const;
  size_t weight_bytes(const Panel& panel) const;  // of one set
  void pack_weights(const ConvPlan& plan, const Panel& panel, bool second_row);
  DwRow row_function(const Panel& panel) const;
  int32_t run_two_rows(const View& in, const View& out, const Panel& panel, const Slice& slice,
                       DwArgs* args) const;
  const uint8_t* first_tap(const View& in, const Panel& panel, int32_t y) const;
  void run_row(const View& in, const View& out, const Panel& panel, int32_t y, DwArgs* args,
               uint8_t* scratch) const;

  const DwKernel& kernel_;
  program::Window window_;
  Pads halo_;
  int32_t out_height_, out_width_, channels_;
  bool is_3x3_;
  Form form_;
  int32_t scale_log2_;  // of weights of kernels with operands of 2 bytes
  // Tap (row, column) at each place of each dot group; negative: none, its weight is 0.
  std::vector<std::pair<int32_t, int32_t>> taps_;
  std::vector<Panel> panels_;
  AlignedBytes weights_, bias_, parameters_, clamps_;
  std::vector<RawFinish> raw_;  // by panel, for Form::raw
  size_t scratch_bytes_ = 0;
  std::string name_;  // variant and form
};

DepthwiseConv::DepthwiseConv(const ConvPlan& plan, const DwKernel& kernel)
    : kernel_(kernel),
      window_(plan.window),
      halo_(plan.halo),
      out_height_(plan.out_height),
      out_width_(plan.out_width),
      channels_(plan.out_channels),
      form_(plan.epilogue.form),
      scale_log2_(plan.epilogue.prescale) {
  const program::Window& w = window_;
  is_3x3_ = w.kernel_h == 3 && w.kernel_w == 3 && w.dilation_h == 1 && w.dilation_w == 1 &&
            w.stride_w <= 2 && kernel_.blocks[0].rows3x3[0][0][0] != nullptr;
  const auto fill = [&] {
    while (taps_.size() % size_t(kernel_.terms) != 0) taps_.emplace_back(-1, -1);
  };
  if (is_3x3_) {  // column by column
    for (int32_t kx = 0; kx < 3; ++kx) {
      for (int32_t ky = 0; ky < 3; ++ky) taps_.emplace_back(ky, kx);
      fill();
    }
  } else {
    for (int32_t ky = 0; ky < w.kernel_h; ++ky) {
      for (int32_t kx = 0; kx < w.kernel_w; ++kx) taps_.emplace_back(ky, kx);
    }
    fill();
  }
  divide_channels(channels_);
  pack(plan);
  name_ = std::string(is_3x3_ ? kernel.name : kernel.name_any) + "/" +
          (raw_.empty() ? form_name(form_) : raw_[0].name());
  const size_t taps = round_up(taps_.size() * sizeof(ptrdiff_t), 64);
  const size_t row = size_t(out_width_) * size_t(panels_[0].block->vectors * kernel_.lanes) * 4;
  scratch_bytes_ = taps + (form_ == Form::raw ? round_up(row, 64) : 0) + 1024;
}

// Largest blocks first; the last one may be partly empty.
void DepthwiseConv::divide_channels(int32_t channels) {
  for (int32_t first = 0; first < channels;) {
    const int32_t left = channels - first;
    const DwBlock* block = &kernel_.blocks[0];
    // The largest that is filled; else the smallest that holds the rest.
    for (int32_t i = 0; i < kernel_.block_count; ++i) {
      block = &kernel_.blocks[i];
      const int32_t size = block->vectors * kernel_.lanes;
      const bool last = i + 1 == kernel_.block_count;
      const int32_t below = last ? 0 : kernel_.blocks[i + 1].vectors * kernel_.lanes;
      if (left >= size || left > below) break;
    }
    const int32_t take = std::min(left, block->vectors * kernel_.lanes);
    panels_.push_back({block, first, take, 0, 0, 0, 0, {}});
    first += take;
  }
}

void DepthwiseConv::pack(const ConvPlan& plan) {
  const size_t vector = size_t(kernel_.lanes) * 4;
  size_t weights = 0, bias = 0, parameters = 0, clamps = 0;
  for (Panel& panel : panels_) {
    const auto vectors = size_t(panel.block->vectors);
    divide_weights(plan, &panel);
    panel.weights = weights;
    panel.bias = bias;
    panel.parameters = parameters;
    panel.clamps = clamps;
    weights += weight_bytes(panel) * (takes_two_rows(panel) ? 2 : 1);
    bias += vectors * vector;
    parameters += vectors * size_t(form_slots(form_)) * vector;
    clamps += 2 * vector;
  }
  weights_ = aligned_bytes(weights + 64);
  bias_ = aligned_bytes(bias);
  parameters_ = aligned_bytes(parameters + 64);
  clamps_ = aligned_bytes(clamps);
  for (Panel& panel : panels_) {
    const int32_t vectors = panel.block->vectors, lanes = kernel_.lanes;
    std::vector<int32_t> lane_channels;
    for (int32_t v = 0; v < vectors; ++v) {
      for (int32_t lane = 0; lane < lanes; ++lane) {
        const int32_t c = kernel_.channel(vectors, v, lane);
        panel.order.push_back(c);
        lane_channels.push_back(c < panel.channels ? panel.first + c : -1);
      }
    }
    for (size_t i = 0; i < lane_channels.size(); ++i) {
      if (lane_channels[i] < 0) continue;
      const int32_t bias = plan.bias_for(size_t(lane_channels[i]), kernel_.activation_offset, 0);
      std::memcpy(bias_.get() + panel.bias + i * 4, &bias, 4);
    }
    for (int32_t v = 0; v < vectors; ++v) {
      const size_t slots = size_t(form_slots(form_)) * vector;
      pack_parameters(
          plan.epilogue, &lane_channels[size_t(v * lanes)], lanes,
          reinterpret_cast<int32_t*>(parameters_.get() + panel.parameters + size_t(v) * slots));
    }
    for (int32_t c = 0; c < panel.channels; ++c) {
      const ChannelFinish& finish = plan.epilogue.channels[size_t(panel.first + c)];
      clamps_[panel.clamps + size_t(c)] = finish.lo;
      clamps_[panel.clamps + vector + size_t(c)] = finish.hi;
      panel.clamps_anything = panel.clamps_anything || finish.lo > 0 || finish.hi < 255;
    }
    pack_weights(plan, panel, false);
    if (takes_two_rows(panel)) pack_weights(plan, panel, true);
    if (form_ == Form::raw) raw_.emplace_back(plan, panel.first, panel.order);
  }
}

// How the panel's weights become operands. Of the nets that have weights beyond s8, most panels
// hold none or one of them.
void DepthwiseConv::divide_weights(const ConvPlan& plan, Panel* panel) const {
  if (kernel_.operand_bytes == 2) return;
  const int16_t* weights = &plan.weights[size_t(panel->first) * plan.reduction];
  for (size_t i = 0; i < size_t(panel->channels) * plan.reduction; ++i) {
    const int32_t beyond = weights[i] - within_s8(weights[i]);
    if (beyond == 0) continue;
    const int32_t row = int32_t(i % plan.reduction) / window_.kernel_w;
    if (panel->repeated < 0) panel->repeated = row;
    const bool shares = is_3x3_ && kernel_.repeats_row && panel->repeated == row;
    if (!shares || beyond != within_s8(beyond)) panel->parts = 2;
  }
  if (panel->parts == 2) panel->repeated = -1;
}

// One part of the weight that stands at a place of the dot groups: what is within s8 there and the
// rest at the repeated row's place; or half of it and the other half.
int32_t DepthwiseConv::operand(const Panel& panel, const int16_t* weights, size_t tap,
                               size_t part) const {
  auto [ky, kx] = taps_[tap];
  const bool again = ky < 0;
  if (again) {
    if (panel.repeated < 0) return 0;
    ky = panel.repeated;
    kx = int32_t(tap / size_t(kernel_.terms));
  }
  const int32_t w = weights[ky * window_.kernel_w + kx];
  if (kernel_.operand_bytes == 2) return w * (1 << scale_log2_);
  if (panel.parts == 2) return part == 0 ? w >> 1 : w - (w >> 1);
  return again ? w - within_s8(w) : within_s8(w);
}

bool DepthwiseConv::takes_two_rows(const Panel& panel) const {
  return is_3x3_ && window_.stride_w == 1 && window_.stride_h == 1 && panel.parts == 1 &&
         panel.repeated < 0 && form_ != Form::raw &&
         panel.block->two_rows[static_cast<int>(form_)] != nullptr;
}

size_t DepthwiseConv::weight_bytes(const Panel& panel) const {
  return taps_.size() / size_t(kernel_.terms) * size_t(panel.parts) *
         size_t(panel.block->vectors * kernel_.lanes) * 4;
}

// The set for the second of two rows has each column's taps one place later.
void DepthwiseConv::pack_weights(const ConvPlan& plan, const Panel& panel, bool second_row) {
  const auto terms = size_t(kernel_.terms), parts = size_t(panel.parts);
  const size_t channels = panel.order.size();
  for (size_t i = 0; i < channels; ++i) {
    if (panel.order[i] >= panel.channels) continue;
    const int16_t* from = &plan.weights[size_t(panel.first + panel.order[i]) * plan.reduction];
    for (size_t t = 0; t < taps_.size(); ++t) {
      for (size_t part = 0; part < parts; ++part) {
        const size_t at = ((t / terms * parts + part) * channels + i) * terms + t % terms;
        const bool above = second_row && t % terms == 0;  // of that row's first one
        const int32_t value = above ? 0 : operand(panel, from, second_row ? t - 1 : t, part);
        uint8_t* base = weights_.get() + panel.weights + (second_row ? weight_bytes(panel) : 0);
        if (kernel_.operand_bytes == 1) {
          reinterpret_cast<int8_t*>(base)[at] = static_cast<int8_t>(value);
        } else {
          reinterpret_cast<int16_t*>(base)[at] = static_cast<int16_t>(value);
        }
      }
    }
  }
}

DwRow DepthwiseConv::row_function(const Panel& panel) const {
  const DwBlock& block = *panel.block;
  const int form = static_cast<int>(form_), part = panel.parts - 1;
  return is_3x3_ ? block.rows3x3[window_.stride_w - 1][part][form] : block.any[part][form];
}

// Of output row y's first pixel, the panel's first channel.
const uint8_t* DepthwiseConv::first_tap(const View& in, const Panel& panel, int32_t y) const {
  return in.data + (ptrdiff_t{y} * window_.stride_h - window_.pads.top) * in.row_stride -
         ptrdiff_t{window_.pads.left} * channels_ + panel.first;
}

void DepthwiseConv::run_row(const View& in, const View& out, const Panel& panel, int32_t y,
                            DwArgs* args, uint8_t* scratch) const {
  args->in = first_tap(in, panel, y);
  uint8_t* to = out.data + ptrdiff_t{y} * out.row_stride + panel.first;
  const DwRow row = row_function(panel);
  if (form_ != Form::raw) {
    args->out = to;
    args->out_pixel_stride = channels_;
    row(*args);
    return;
  }
  args->out = scratch;
  args->out_pixel_stride = panel.block->vectors * kernel_.lanes * 4;
  row(*args);
  const RawFinish& raw = raw_[static_cast<size_t>(&panel - panels_.data())];
  raw(reinterpret_cast<const int32_t*>(scratch), out_width_,
      [&](int32_t x) { return to + ptrdiff_t{x} * channels_; });
}

// As many pairs of the slice's rows as there are; returns the row after them.
int32_t DepthwiseConv::run_two_rows(const View& in, const View& out, const Panel& panel,
                                    const Slice& slice, DwArgs* args) const {
  const DwRow rows = panel.block->two_rows[static_cast<int>(form_)];
  args->out_pixel_stride = channels_;
  args->out_row_stride = out.row_stride;
  int32_t y = slice.row_begin;
  for (; y + 2 <= slice.row_end; y += 2) {
    args->in = first_tap(in, panel, y);
    args->out = out.data + ptrdiff_t{y} * out.row_stride + panel.first;
    rows(*args);
  }
  return y;
}

void DepthwiseConv::run(const View& in, const View& out, const Slice& slice,
                        uint8_t* scratch) const {
  auto* taps = reinterpret_cast<ptrdiff_t*>(scratch);
  for (size_t t = 0; t < taps_.size(); ++t) {
    const auto [ky, kx] = taps_[t];
    taps[t] = ky < 0 ? 0
                     : ptrdiff_t{ky} * window_.dilation_h * in.row_stride +
                           ptrdiff_t{kx} * window_.dilation_w * channels_;
  }
  uint8_t* raw_row = scratch + round_up(taps_.size() * sizeof(ptrdiff_t), 64);
  const size_t vector = size_t(kernel_.lanes) * 4;
  DwArgs args;
  args.in_row_stride = in.row_stride;
  args.in_pixel_stride = channels_;
  args.step = ptrdiff_t{window_.stride_w} * channels_;
  args.taps = taps;
  args.tap_groups = taps_.size() / size_t(kernel_.terms);
  args.width = out_width_;
  for (int32_t p = slice.panel_begin; p < slice.panel_end; ++p) {
    const Panel& panel = panels_[size_t(p)];
    args.weights = weights_.get() + panel.weights;
    args.bias = reinterpret_cast<const int32_t*>(bias_.get() + panel.bias);
    args.parameters = reinterpret_cast<const int32_t*>(parameters_.get() + panel.parameters);
    args.lo = clamps_.get() + panel.clamps;
    args.hi = args.lo + vector;
    args.clamps = panel.clamps_anything;
    args.channels = panel.channels;
    args.repeated_row = std::max(panel.repeated, 0) * in.row_stride;
    int32_t y = slice.row_begin;
    if (takes_two_rows(panel)) y = run_two_rows(in, out, panel, slice, &args);
    for (; y < slice.row_end; ++y) {
      run_row(in, out, panel, y, &args, raw_row);
    }
  }
}

}  // namespace

int32_t depthwise_prescale(uint32_t cpu_flags) {
  const DwKernel* kernel = pick_dwconv(cpu_flags);
  return kernel == nullptr ? no_high_forms : kernel->most_prescale;
}

std::unique_ptr<FastConv> make_depthwise_conv(ConvPlan plan, uint32_t cpu_flags) {
  const DwKernel* kernel =
      plan.saturating_pairs ? pick_saturating_dwconv(cpu_flags) : pick_dwconv(cpu_flags);
  if (kernel == nullptr) return nullptr;
  if (kernel->remainders != nullptr) plan.prefer_floor_f32(kernel->remainders);
  const bool fits_two = plan.least_weight >= -256 && plan.greatest_weight <= 254;
  if (kernel->operand_bytes == 1 && !fits_two) return nullptr;
  return std::make_unique<DepthwiseConv>(plan, *kernel);
}

}  // namespace lastbit
