// SPDX-License-Identifier: Apache-2.0
// Convolutions as GEMM: output pixels are rows, the taps and channels under the kernel are terms.
// Rows are counted through the slice, row after image row. Where a tile's activations lie in memory
// at one stride they are read in place, else copied (im2col) to scratch; where its outputs do, they
// are written in place, else to scratch and copied.
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "memory/aligned.h"
#include "kernels/conv/fast_conv_plan.h"
#include "kernels/conv/pair_panels.h"
#include "kernels/conv/panel_widths.h"
#include "kernels/conv/raw_finish.h"
#include "kernels/gemm/gemm.h"

namespace lastbit {
namespace {

constexpr size_t gather_bytes = 128 * 1024;     // operands of a block of tiles: half of a small L2
constexpr size_t gather_bytes_once = 8 * 1024;  // where one panel reads them: a part of L1
constexpr size_t l1_bytes = 48 * 1024;
constexpr int32_t max_block_tiles = 256;
// Weights beyond L2 are prefetched a panel ahead where few pixels reuse them.
constexpr int32_t prefetch_pixels = 196;

struct TilePlace {
  const uint8_t* a;
  ptrdiff_t a_stride;
  int32_t first, rows;  // in output pixels of the image
  int32_t shape;        // in the list of shapes
  ptrdiff_t out;        // of the first pixel from the output's, in bytes
  int32_t wrap;  // the row that begins the next image row, or INT32_MAX where no gap is before it
};

size_t groups_of(const ConvPlan& plan, const GemmKernel& kernel) {
  return (plan.reduction + size_t(kernel.terms) - 1) / size_t(kernel.terms);
}

int32_t within_s8(int32_t weight) { return std::clamp(weight, -128, 127); }
bool fits_s8(const ConvPlan& plan) {
  return plan.least_weight >= -128 && plan.greatest_weight <= 127;
}

// One loop over 16-bit numbers, which compilers vectorize: most channels have no weight beyond s8.
bool leave_s8(const int16_t* weights, size_t count) {
  int16_t least = 0, greatest = 0;
  for (size_t i = 0; i < count; ++i) {
    least = std::min(least, weights[i]);
    greatest = std::max(greatest, weights[i]);
  }
  return least < -128 || greatest > 127;
}

// Whether so few weights leave s8 that extras for them cost less than sums of rows would.
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

class GemmConv final : public FastConv {
 public:
  // `pairs`: the panels of a kernel that packs pairs; else none.
  GemmConv(const ConvPlan& plan, const GemmKernel& kernel, int32_t correction,
           std::vector<PairPanel> pairs);

  Pads input_halo() const override { return halo_; }
  size_t scratch_bytes() const override { return scratch_bytes_; }
  int32_t panel_count() const override { return static_cast<int32_t>(panels_.size()); }
  bool split_by_panel() const override { return by_panel_; }
  const char* name() const override { return name_.c_str(); }
  void run(const View& in, const View& out, const Slice& slice, uint8_t* scratch) const override;

 private:
  // Parts of a thread's scratch.
  struct Scratch {
    TilePlace* tiles;
    int32_t* row_terms;
    uint8_t* operands;
    uint8_t* results;  // one tile, bytes or int32
    uint8_t* state;    // of the kernel
  };

  struct Panel {
    PanelWidth width;
    size_t weights, lanes;        // offsets: in bytes, in lanes of all panels
    std::vector<int32_t> order;   // channel of the panel at each lane
    std::vector<int32_t> extras;  // of TileArgs
    bool clamps = false;          // likewise
  };

  int32_t channels_of(const PanelWidth& width) const { return width.vectors * kernel_.lanes; }
  size_t panel_bytes(size_t panel) const {
    if (!pairs_.empty()) return pairs_[panel].weight_bytes();
    const size_t groups = groups_ + panels_[panel].extras.size();
    return groups * 4 * static_cast<size_t>(channels_of(panels_[panel].width));
  }
  size_t clamp_bytes() const { return static_cast<size_t>(kernel_.lanes) * 4; }  // of a vector
  const TileShape& shape_of(const TilePlace& tile, const PanelWidth& width) const {
    return *shapes_[width.vectors][static_cast<size_t>(tile.shape)];
  }
  Scratch divide(uint8_t* scratch) const;
  std::vector<PanelWidth> choose_shapes();
  int32_t main_rows(int32_t vectors) const;
  const TileShape* shape(int32_t rows, int32_t vectors) const;
  int32_t shape_for(int32_t rows) const;
  void operands_of(const int16_t* weights, uint8_t* row) const;
  std::vector<int32_t> extras_of(const ConvPlan& plan, const PanelWidth& width) const;
  void pack_extras(const ConvPlan& plan, const Panel& panel, uint8_t* packed) const;
  void pack(const ConvPlan& plan);
  void place_panels(const ConvPlan& plan, const std::vector<PanelWidth>& widths);
  void pack_panel(const ConvPlan& plan, size_t p, std::vector<uint8_t>* row);
  void pack_clamps(const ConvPlan& plan, size_t p);
  void pack_weights(const ConvPlan& plan, size_t p, std::vector<uint8_t>* row);
  TilePlace place(const View& in, int32_t first, int32_t last) const;
  void gather(const View& in, const TilePlace& tile, uint8_t* to) const;
  void place_output(const View& out, TilePlace* tile) const;
  int32_t tile_rows(int32_t pixels) const;
  int32_t prepare(const View& in, const View& out, int32_t first, int32_t last, int32_t rows,
                  const Scratch& scratch) const;
  void run_panel(const View& out, size_t p, int32_t tile_count, const Scratch& scratch) const;
  void run_tile(const View& out, size_t panel, const TilePlace& tile, TileArgs* args,
                const Scratch& scratch) const;
  void copy_out(const View& out, size_t panel, const TilePlace& tile, const Scratch& scratch) const;

  const GemmKernel& kernel_;
  std::vector<PairPanel> pairs_;  // their weights are in weights_
  program::Window window_;
  Pads halo_;
  int32_t in_channels_, out_height_, out_width_, out_channels_;
  int32_t correction_, block_tiles_ = 1, most_channels_ = 0;  // the latter of a panel
  size_t reduction_, groups_;
  int32_t steps_;          // groups_ by what the kernel takes at once
  size_t operand_stride_;  // bytes of a gathered pixel
  bool in_place_;          // activations need no gathering where they lie at one stride
  bool by_panel_;
  std::vector<int32_t> rows_;  // of tiles, falling
  // By the panel's vectors, for each entry of rows_.
  std::vector<const TileShape*> shapes_[5];
  size_t run_bytes_;                               // neighbouring input bytes under the kernel
  std::vector<ptrdiff_t> run_rows_, run_columns_;  // position of each run
  Form form_;
  int32_t scale_;                 // 2^prescale
  alignas(64) int32_t ones_[16];  // two s16 of the scale each
  AlignedBytes weights_, bias_, parameters_, clamps_;
  std::vector<Panel> panels_;
  std::vector<RawFinish> raw_;  // by panel, for Form::raw
  size_t scratch_bytes_ = 0;
  std::string name_;  // variant and form
};

GemmConv::GemmConv(const ConvPlan& plan, const GemmKernel& kernel, int32_t correction,
                   std::vector<PairPanel> pairs)
    : kernel_(kernel),
      pairs_(std::move(pairs)),
      window_(plan.window),
      halo_(plan.halo),
      in_channels_(plan.in_channels),
      out_height_(plan.out_height),
      out_width_(plan.out_width),
      out_channels_(plan.out_channels),
      correction_(correction),
      reduction_(plan.reduction),
      groups_(padded_groups(groups_of(plan, kernel), size_t(kernel.most_step))),
      steps_(static_cast<int32_t>(groups_ / step_groups(groups_, size_t(kernel.most_step)))),
      form_(plan.epilogue.form),
      scale_(1 << plan.epilogue.prescale) {
  const bool pointwise = window_.kernel_h == 1 && window_.kernel_w == 1;
  in_place_ = pointwise && kernel.operand_bytes == 1;
  operand_stride_ = groups_ * 4;
  const bool row_runs = window_.dilation_w == 1;
  run_bytes_ = size_t(in_channels_) * size_t(row_runs ? window_.kernel_w : 1);
  for (int32_t ky = 0; ky < window_.kernel_h; ++ky) {
    for (int32_t kx = 0; kx < (row_runs ? 1 : window_.kernel_w); ++kx) {
      run_rows_.push_back(ky * window_.dilation_h);
      run_columns_.push_back(ptrdiff_t{kx} * window_.dilation_w * in_channels_);
    }
  }
  std::fill_n(ones_, 16, scale_ * 0x00010001);
  place_panels(plan, choose_shapes());
  const int32_t rows = rows_[0];
  block_tiles_ = static_cast<int32_t>(std::clamp<size_t>(
      (panels_.size() == 1 ? gather_bytes_once : gather_bytes) / (size_t(rows) * operand_stride_),
      1, max_block_tiles));
  // Where two tiles' activations would not stay in L1, each passes along all weights by itself.
  if (kernel.state != nullptr && size_t(rows) * operand_stride_ > l1_bytes / 2) block_tiles_ = 1;
  // Either way a thread reads all of one operand and part of the other: all of the lesser one. What
  // a slice does for all of its panels (gathering, sums of rows) is done once for all when rows are
  // split.
  const int32_t pixels = out_height_ * out_width_;
  // Tiles of AMX are done before the other thread's activations have come: V1 on two threads, 914
  // us by panels and 836 by rows.
  const bool waits = kernel.most_step > 1;
  const bool weights_weigh = size_t(out_channels_) > size_t(pixels) && panels_.size() >= 8 &&
                             in_place_ && correction_ == 0 && !waits;
  by_panel_ = (pixels <= 64 && panels_.size() > 1) || weights_weigh;
  pack(plan);
  name_ = std::string(kernel.name) + "/" + (raw_.empty() ? form_name(form_) : raw_[0].name());
  const size_t tile_rows = size_t(block_tiles_) * size_t(rows);
  scratch_bytes_ = round_up(size_t(block_tiles_) * sizeof(TilePlace), 64) +
                   round_up(tile_rows * sizeof(int32_t), 64) +
                   round_up(tile_rows * operand_stride_ + 64, 64) +
                   round_up(size_t(rows) * size_t(most_channels_) * 4, 64) +
                   (kernel.state == nullptr ? 0 : kernel.state->bytes);
}

GemmConv::Scratch GemmConv::divide(uint8_t* scratch) const {
  const auto rows = size_t(rows_[0]);
  const auto take = [&scratch](size_t bytes) {
    uint8_t* part = scratch;
    scratch += round_up(bytes, 64);
    return part;
  };
  Scratch s;
  s.tiles = reinterpret_cast<TilePlace*>(take(size_t(block_tiles_) * sizeof(TilePlace)));
  s.row_terms = reinterpret_cast<int32_t*>(take(size_t(block_tiles_) * rows * sizeof(int32_t)));
  s.operands = take(size_t(block_tiles_) * rows * operand_stride_ + 64);
  s.results = take(rows * size_t(most_channels_) * 4);
  s.state = scratch;
  return s;
}

int32_t GemmConv::main_rows(int32_t vectors) const {
  for (int32_t i = 0; i < kernel_.shape_count; ++i) {
    if (kernel_.shapes[i].vectors == vectors) return kernel_.shapes[i].rows;
  }
  return 0;
}

// nullptr if the kernel has none.
const TileShape* GemmConv::shape(int32_t rows, int32_t vectors) const {
  for (int32_t i = 0; i < kernel_.shape_count; ++i) {
    const TileShape& shape = kernel_.shapes[i];
    if (shape.rows == rows && shape.vectors == vectors) return &shape;
  }
  return nullptr;
}

// Panels of three vectors where the kernel has them. Else wide ones for single pixels (long chains
// otherwise) and for images whose width suits their fewer rows; narrow ones, with more rows, for
// the rest.
std::vector<PanelWidth> GemmConv::choose_shapes() {
  const int32_t narrow = main_rows(2), mixed = main_rows(3), wide = main_rows(4);
  const int32_t pixels = out_height_ * out_width_;
  const bool suits = wide > 1 && out_width_ % wide == 0 && out_width_ % narrow != 0;
  const bool four = wide > 0 && (pixels == 1 || (wide > 1 && pixels <= 4) || suits);
  const auto widths = mixed_panels(out_channels_, kernel_.lanes);
  const bool three = !four && mixed > 0 && widths[0].vectors == 3;
  const int32_t vectors = four ? 4 : 2;
  for (int32_t i = 0; i < kernel_.shape_count; ++i) {
    const TileShape& shape = kernel_.shapes[i];
    if (shape.vectors == vectors && (!three || shape.rows <= mixed)) rows_.push_back(shape.rows);
  }
  bool halves = true;
  for (const int32_t rows : rows_) {
    for (int32_t v = 1; v <= 4; ++v) shapes_[v].push_back(shape(rows, v));
    halves = halves && shapes_[vectors / 2].back() != nullptr;
  }
  return three ? widths : equal_panels(out_channels_, vectors, kernel_.lanes, halves);
}

int32_t GemmConv::shape_for(int32_t rows) const {
  size_t i = 0;
  while (i + 1 < rows_.size() && rows_[i + 1] >= rows) ++i;
  return static_cast<int32_t>(i);
}

// One channel's weights as the kernel's operands, in groups of 4 bytes; `row` starts out as zeros.
void GemmConv::operands_of(const int16_t* weights, uint8_t* row) const {
  if (kernel_.operand_bytes == 2) {
    auto* scaled = reinterpret_cast<int16_t*>(row);
    for (size_t k = 0; k < reduction_; ++k) scaled[k] = static_cast<int16_t>(weights[k] * scale_);
    return;
  }
  // 16 bits throughout: baseline code has least and greatest of these in one instruction.
  const auto correction = static_cast<int16_t>(correction_);
  for (size_t k = 0; k < reduction_; ++k) {
    const auto w = static_cast<int16_t>(weights[k] - correction);
    row[k] = static_cast<uint8_t>(std::max<int16_t>(-128, std::min<int16_t>(w, 127)));
  }
}

// The groups of operands that take an extra one for what within_s8 cuts off a channel's weight,
// each as often as it has to.
std::vector<int32_t> GemmConv::extras_of(const ConvPlan& plan, const PanelWidth& width) const {
  if (!kernel_.takes_extras || correction_ != 0 || fits_s8(plan)) return {};
  const int32_t end = std::min(width.first + channels_of(width), out_channels_);
  std::vector<int32_t> count(groups_, 0);
  for (int32_t oc = width.first; oc < end; ++oc) {
    const int16_t* weights = &plan.weights[size_t(oc) * reduction_];
    if (!leave_s8(weights, reduction_)) continue;
    for (size_t k = 0; k < reduction_; ++k) {
      int32_t& n = count[k / size_t(kernel_.terms)];
      for (int32_t cut = 0, v = weights[k]; v != within_s8(v); v -= within_s8(v))
        n = std::max(n, ++cut);
    }
  }
  std::vector<int32_t> extras;
  for (size_t g = 0; g < groups_; ++g)
    extras.insert(extras.end(), size_t(count[g]), int32_t(g * 4));
  return extras;
}

void GemmConv::pack_extras(const ConvPlan& plan, const Panel& panel, uint8_t* packed) const {
  size_t cut = 0;  // how often the group has been had
  for (size_t e = 0; e < panel.extras.size(); ++e, packed += panel.order.size() * 4) {
    cut = e > 0 && panel.extras[e] == panel.extras[e - 1] ? cut + 1 : 1;
    const auto first = size_t(panel.extras[e]);
    for (size_t i = 0; i < panel.order.size(); ++i) {
      const size_t oc = size_t(panel.width.first + panel.order[i]);
      if (oc >= size_t(out_channels_)) continue;
      for (size_t k = first; k < std::min(first + 4, reduction_); ++k) {
        int32_t v = plan.weights[oc * reduction_ + k];
        for (size_t n = 0; n < cut; ++n) v -= within_s8(v);
        packed[i * 4 + k - first] = static_cast<uint8_t>(within_s8(v));
      }
    }
  }
}

void GemmConv::pack_weights(const ConvPlan& plan, size_t p, std::vector<uint8_t>* row) {
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
    if (oc >= size_t(out_channels_)) continue;
    operands_of(&plan.weights[oc * reduction_], row->data());
    for (size_t g = 0; g < groups_; ++g) {
      std::memcpy(packed + g * step + i * 4, row->data() + g * 4, 4);
    }
  }
  pack_extras(plan, panel, packed + groups_ * step);
  if (kernel_.repack != nullptr) kernel_.repack(packed, groups_, panel.width.vectors);
}

void GemmConv::place_panels(const ConvPlan& plan, const std::vector<PanelWidth>& widths) {
  size_t weights = 0, lanes = 0;
  for (const PanelWidth& width : widths) {
    const int32_t channels = channels_of(width);
    Panel panel{width, weights, lanes, {}, extras_of(plan, width)};
    for (int32_t i = 0; i < channels; ++i) {
      const int32_t v = i / kernel_.lanes, lane = plan.accumulator_lane(i % kernel_.lanes);
      panel.order.push_back(gemm_channel(width.vectors, v, lane, kernel_.lanes));
    }
    panels_.push_back(std::move(panel));
    weights += panel_bytes(panels_.size() - 1);
    lanes += size_t(channels);
    most_channels_ = std::max(most_channels_, channels);
  }
  weights_ = aligned_bytes(weights + 64);
  bias_ = aligned_bytes(lanes * 4);
  parameters_ = aligned_bytes(lanes * size_t(form_slots(form_)) * 4 + 64);
  clamps_ = aligned_bytes(panels_.size() * 4 * clamp_bytes());
}

// Two vectors of bytes for each of both bounds; the second serves the third vector of channels.
void GemmConv::pack_clamps(const ConvPlan& plan, size_t p) {
  const size_t vector = clamp_bytes();
  const PanelWidth& width = panels_[p].width;
  uint8_t* lo = clamps_.get() + p * 4 * vector;
  uint8_t* hi = lo + 2 * vector;
  const auto lanes = static_cast<size_t>(kernel_.lanes);
  const size_t first_part = lanes * size_t(width.vectors == 3 ? 2 : width.vectors);
  for (size_t i = 0; i < 2 * vector; ++i) {
    const size_t place = i < vector ? i % first_part : first_part + i % lanes;
    const size_t oc = size_t(width.first) + place;
    const bool exists = oc < size_t(out_channels_);
    lo[i] = exists ? plan.epilogue.channels[oc].lo : 0;
    hi[i] = exists ? plan.epilogue.channels[oc].hi : 255;
    panels_[p].clamps = panels_[p].clamps || lo[i] > 0 || hi[i] < 255;
  }
}

void GemmConv::pack_panel(const ConvPlan& plan, size_t p, std::vector<uint8_t>* row) {
  const Panel& panel = panels_[p];
  if (form_ == Form::raw) raw_.emplace_back(plan, panel.width.first, panel.order);
  std::vector<int32_t> lane_channels(panel.order.size(), -1);
  for (size_t i = 0; i < panel.order.size(); ++i) {
    const int32_t oc = panel.width.first + panel.order[i];
    if (oc >= out_channels_) continue;
    lane_channels[i] = oc;
    const int32_t bias = plan.bias_for(size_t(oc), kernel_.activation_offset, correction_);
    std::memcpy(bias_.get() + (panel.lanes + i) * 4, &bias, 4);
  }
  pack_weights(plan, p, row);
  auto* parameters = reinterpret_cast<int32_t*>(parameters_.get());
  for (size_t i = 0; i < panel.order.size(); i += size_t(kernel_.lanes)) {
    pack_parameters(plan.epilogue, &lane_channels[i], kernel_.lanes,
                    parameters + (panel.lanes + i) * size_t(form_slots(form_)));
  }
  pack_clamps(plan, p);
}

void GemmConv::pack(const ConvPlan& plan) {
  std::vector<uint8_t> row(groups_ * 4);
  for (size_t p = 0; p < panels_.size(); ++p) pack_panel(plan, p, &row);
}

// Where the activations of output pixels [first, last) begin, if they can be read in place.
TilePlace GemmConv::place(const View& in, int32_t first, int32_t last) const {
  TilePlace tile{nullptr, 0, first, last - first, shape_for(last - first), 0, 0};
  if (!in_place_ || !shapes_[panels_[0].width.vectors][size_t(tile.shape)]->fits(tile.rows)) {
    return tile;
  }
  const int32_t y = first / out_width_, x = first % out_width_;
  const ptrdiff_t step = ptrdiff_t{window_.stride_w} * in_channels_;
  const bool seamless = in.row_stride * window_.stride_h == step * out_width_;
  if (x + tile.rows > out_width_ && !seamless) return tile;
  tile.a = in.data + (ptrdiff_t{y} * window_.stride_h - window_.pads.top) * in.row_stride +
           ptrdiff_t{x} * step - ptrdiff_t{window_.pads.left} * in_channels_;
  tile.a_stride = step;
  return tile;
}

void GemmConv::gather(const View& in, const TilePlace& tile, uint8_t* to) const {
  constexpr size_t max_runs = 64;
  ptrdiff_t runs[max_runs];
  const ptrdiff_t step = ptrdiff_t{window_.stride_w} * in_channels_;
  for (int32_t row = 0; row < tile.rows;) {
    const int32_t y = (tile.first + row) / out_width_, x = (tile.first + row) % out_width_;
    const int32_t count = std::min(tile.rows - row, out_width_ - x);
    const uint8_t* source = in.data +
                            (ptrdiff_t{y} * window_.stride_h - window_.pads.top) * in.row_stride +
                            ptrdiff_t{x} * step - ptrdiff_t{window_.pads.left} * in_channels_;
    uint8_t* pixels = to + ptrdiff_t(size_t(row) * operand_stride_);
    if (run_rows_.size() <= max_runs) {
      for (size_t r = 0; r < run_rows_.size(); ++r) {
        runs[r] = run_rows_[r] * in.row_stride + run_columns_[r];
      }
      kernel_.gather(source, step, runs, run_rows_.size(), run_bytes_, pixels,
                     ptrdiff_t(operand_stride_), count);
    } else {
      // Pixel by pixel, in portions of runs, so that what a portion writes too far is overwritten.
      for (int32_t i = 0; i < count; ++i) {
        uint8_t* pixel = pixels + size_t(i) * operand_stride_;
        for (size_t r = 0; r < run_rows_.size(); ++r) {
          runs[0] = run_rows_[r] * in.row_stride + run_columns_[r];
          kernel_.gather(source + i * step, 0, runs, 1, run_bytes_,
                         pixel + r * run_bytes_ * size_t(kernel_.operand_bytes), 0, 1);
        }
      }
    }
    row += count;
  }
}

void GemmConv::place_output(const View& out, TilePlace* tile) const {
  const int32_t y = tile->first / out_width_, x = tile->first % out_width_;
  const bool seamless = out.row_stride == ptrdiff_t{out_width_} * out_channels_;
  tile->out = ptrdiff_t{y} * out.row_stride + ptrdiff_t{x} * out_channels_;
  tile->wrap = seamless || x + tile->rows <= out_width_ ? INT32_MAX : out_width_ - x;
}

// Rows of a slice's tiles.
int32_t GemmConv::tile_rows(int32_t pixels) const {
  if (!kernel_.repeats_rows) return rows_[0];
  const int32_t tiles = (pixels + rows_[0] - 1) / rows_[0];
  return (pixels + tiles - 1) / tiles;
}

// Lays out the next block of tiles; returns their number.
int32_t GemmConv::prepare(const View& in, const View& out, int32_t first, int32_t last,
                          int32_t rows, const Scratch& scratch) const {
  int32_t count = 0;
  uint8_t* operands = scratch.operands;
  for (; first < last && count < block_tiles_; ++count) {
    if (kernel_.repeats_rows) first = std::min(first, last - rows);
    TilePlace tile = place(in, first, std::min(first + rows, last));
    if (tile.a == nullptr) {
      gather(in, tile, operands);
      tile.a = operands;
      tile.a_stride = ptrdiff_t(operand_stride_);
      operands += size_t(tile.rows) * operand_stride_;
    }
    if (correction_ != 0) {
      int32_t* sums = scratch.row_terms + count * rows_[0];
      kernel_.row_sums(tile.a, tile.a_stride, reduction_, tile.rows, sums);
      for (int32_t i = 0; i < tile.rows; ++i) {
        sums[i] = int32_t(uint32_t(sums[i]) * uint32_t(correction_));
      }
    }
    place_output(out, &tile);
    scratch.tiles[count] = tile;
    first += tile.rows;
  }
  return count;
}

void GemmConv::copy_out(const View& out, size_t panel, const TilePlace& tile,
                        const Scratch& scratch) const {
  const PanelWidth& width = panels_[panel].width;
  const int32_t channels = std::min(channels_of(width), out_channels_ - width.first);
  const auto to = [&](int32_t row) {
    const int32_t pixel = tile.first + row;
    return out.data + ptrdiff_t{pixel / out_width_} * out.row_stride +
           ptrdiff_t{pixel % out_width_} * out_channels_ + width.first;
  };
  if (form_ == Form::raw) {
    raw_[panel](reinterpret_cast<const int32_t*>(scratch.results), tile.rows, to);
    return;
  }
  for (int32_t row = 0; row < tile.rows; ++row) {
    std::memcpy(to(row), scratch.results + row * channels_of(width), size_t(channels));
  }
}

void GemmConv::run_tile(const View& out, size_t panel, const TilePlace& tile, TileArgs* args,
                        const Scratch& scratch) const {
  const PanelWidth& width = panels_[panel].width;
  const int32_t channels = channels_of(width);
  const TileShape& shape = shape_of(tile, width);
  args->channels = std::min(channels, out_channels_ - width.first);
  const bool whole = shape.fits(tile.rows) && (kernel_.stores_part || args->channels == channels) &&
                     form_ != Form::raw;
  // Parts of tiles of pairs step over one gap themselves, other shapes over any number.
  const bool joined =
      tile.wrap == INT32_MAX ||
      (shape.takes_fewer && (kernel_.pairs == nullptr || out_width_ >= pair_part_rows));
  args->a = tile.a;
  args->a_stride = tile.a_stride;
  args->rows = tile.rows;
  const Tile run = shape.tile[int(form_)];
  if (whole && joined) {
    args->c = out.data + tile.out + width.first;
    args->c_stride = out_channels_;
    args->wrap = tile.wrap;
    run(*args);
  } else {
    args->c = scratch.results;
    args->wrap = INT32_MAX;
    args->c_stride = channels * (form_ == Form::raw ? 4 : 1);
    run(*args);
    copy_out(out, panel, tile, scratch);
  }
}

void GemmConv::run_panel(const View& out, size_t p, int32_t tile_count,
                         const Scratch& scratch) const {
  const Panel& panel = panels_[p];
  TileArgs args;
  args.gap = out.row_stride - ptrdiff_t{out_width_} * out_channels_;
  args.ones = ones_;
  args.state = scratch.state;
  args.b = weights_.get() + panel.weights;
  args.groups = groups_;
  args.steps = steps_;
  args.step = static_cast<int32_t>(groups_) / steps_;
  args.width = out_width_;
  if (!pairs_.empty()) args.pairs = &pairs_[p];
  args.extras = panel.extras.data();
  args.extra_count = panel.extras.size();
  args.bias = reinterpret_cast<const int32_t*>(bias_.get()) + panel.lanes;
  args.parameters =
      reinterpret_cast<const int32_t*>(parameters_.get()) + panel.lanes * size_t(form_slots(form_));
  args.clamps = panel.clamps;
  args.lo = clamps_.get() + p * 4 * clamp_bytes();
  args.hi = args.lo + 2 * clamp_bytes();
  const bool ahead = out_height_ * out_width_ <= prefetch_pixels && tile_count > 1;
  const size_t bytes = panel_bytes(p);
  const uint8_t* next = args.b + bytes;
  const size_t share = ahead ? round_up(bytes / size_t(tile_count), 64) : 0;
  for (int32_t t = 0; t < tile_count; ++t) {
    for (size_t i = 0; i < share; i += 64) __builtin_prefetch(next + size_t(t) * share + i, 0, 2);
    if (correction_ != 0) args.row_terms = scratch.row_terms + t * rows_[0];
    run_tile(out, p, scratch.tiles[t], &args, scratch);
  }
}

void GemmConv::run(const View& in, const View& out, const Slice& slice, uint8_t* memory) const {
  const Scratch scratch = divide(memory);
  const RunState* state = kernel_.state;
  if (state != nullptr) state->begin(scratch.state);
  int32_t first = slice.row_begin * out_width_;
  const int32_t last = slice.row_end * out_width_, rows = tile_rows(last - first);
  while (first < last) {
    const int32_t count = prepare(in, out, first, last, rows, scratch);
    for (int32_t panel = slice.panel_begin; panel < slice.panel_end; ++panel) {
      run_panel(out, size_t(panel), count, scratch);
    }
    if (state != nullptr) state->flush(scratch.state);
    const TilePlace& end = scratch.tiles[count - 1];
    first = end.first + end.rows;
  }
  if (state != nullptr) state->end(scratch.state);
}

}  // namespace

int32_t gemm_prescale(uint32_t cpu_flags) {
  const GemmKernel* kernel = pick_gemm(cpu_flags);
  return kernel == nullptr ? no_high_forms : kernel->most_prescale;
}

std::unique_ptr<FastConv> make_gemm_conv(ConvPlan plan, uint32_t cpu_flags) {
  const GemmKernel* kernel =
      plan.saturating_pairs ? pick_saturating_gemm(cpu_flags) : pick_gemm(cpu_flags);
  if (kernel == nullptr) return nullptr;
  if (groups_of(plan, *kernel) < kernel->least_groups) kernel = kernel->instead;
  if (kernel->remainders != nullptr) plan.prefer_floor_f32(kernel->remainders);
  if (kernel->pairs != nullptr) {
    std::vector<PairPanel> pairs = plan_pair_panels(plan, *kernel->pairs);
    if (!pairs.empty()) return std::make_unique<GemmConv>(plan, *kernel, 0, std::move(pairs));
    kernel = kernel->instead;
  }
  int32_t correction = 0;
  if (kernel->operand_bytes == 1 && !fits_s8(plan) &&
      !(kernel->takes_extras && are_few_extras(plan))) {
    correction = plan.least_weight + 128;
    if (plan.greatest_weight - correction > 127) return nullptr;
  }
  return std::make_unique<GemmConv>(plan, *kernel, correction, std::vector<PairPanel>{});
}

}  // namespace lastbit
