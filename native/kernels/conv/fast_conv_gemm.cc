// SPDX-License-Identifier: Apache-2.0
// Convolutions as GEMM, run: rows are counted through the slice, row after image row. Where a
// tile's activations lie in memory at one stride they are read in place, else copied (im2col) to
// scratch; where its outputs do, they are written in place, else to scratch and copied.
#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "kernels/conv/fast_conv_plan.h"
#include "kernels/conv/gemm_plan.h"
#include "kernels/conv/gemm_weights.h"
#include "kernels/conv/pair_panels.h"
#include "kernels/gemm/gemm.h"
#include "memory/aligned.h"

namespace lastbit {
namespace {

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

class GemmConv final : public FastConv {
 public:
  // `pairs`: the panels of a kernel that packs pairs; else none.
  GemmConv(const ConvPlan& plan, const GemmKernel& kernel, int32_t correction,
           std::vector<PairPanel> pairs)
      : plan_(plan, kernel, correction),
        weights_(plan, plan_, std::move(pairs)),
        name_(std::string(kernel.name) + "/" + weights_.finish_name()) {}

  Pads input_halo() const override { return plan_.layer.halo; }
  size_t scratch_bytes() const override;
  int32_t panel_count() const override { return static_cast<int32_t>(weights_.panel_count()); }
  bool split_by_panel() const override { return plan_.tiles.by_panel; }
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

  Scratch divide(uint8_t* scratch) const;
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

  GemmPlan plan_;
  GemmWeights weights_;
  std::string name_;  // variant and form
};

size_t GemmConv::scratch_bytes() const {
  const GemmPlan::Tiles& tiles = plan_.tiles;
  const auto rows = size_t(tiles.rows[0]), tile_rows = size_t(tiles.block) * rows;
  return round_up(size_t(tiles.block) * sizeof(TilePlace), 64) +
         round_up(tile_rows * sizeof(int32_t), 64) +
         round_up(tile_rows * plan_.terms.operand_stride + 64, 64) +
         round_up(rows * size_t(tiles.most_channels) * 4, 64) +
         (plan_.kernel.state == nullptr ? 0 : plan_.kernel.state->bytes);
}

GemmConv::Scratch GemmConv::divide(uint8_t* scratch) const {
  const GemmPlan::Tiles& tiles = plan_.tiles;
  const auto rows = size_t(tiles.rows[0]);
  const auto take = [&scratch](size_t bytes) {
    uint8_t* part = scratch;
    scratch += round_up(bytes, 64);
    return part;
  };
  Scratch s;
  s.tiles = reinterpret_cast<TilePlace*>(take(size_t(tiles.block) * sizeof(TilePlace)));
  s.row_terms = reinterpret_cast<int32_t*>(take(size_t(tiles.block) * rows * sizeof(int32_t)));
  s.operands = take(size_t(tiles.block) * rows * plan_.terms.operand_stride + 64);
  s.results = take(rows * size_t(tiles.most_channels) * 4);
  s.state = scratch;
  return s;
}

// Where the activations of output pixels [first, last) begin, if they can be read in place.
TilePlace GemmConv::place(const View& in, int32_t first, int32_t last) const {
  const GemmPlan::Layer& layer = plan_.layer;
  TilePlace tile{nullptr, 0, first, last - first, plan_.shape_for(last - first), 0, 0};
  if (!plan_.terms.in_place || !plan_.shape_of(tile.shape, plan_.tiles.panels[0]).fits(tile.rows)) {
    return tile;
  }
  const int32_t y = first / layer.out_width, x = first % layer.out_width;
  const ptrdiff_t step = ptrdiff_t{layer.window.stride_w} * layer.in_channels;
  const bool seamless = in.row_stride * layer.window.stride_h == step * layer.out_width;
  if (x + tile.rows > layer.out_width && !seamless) return tile;
  tile.a = in.data +
           (ptrdiff_t{y} * layer.window.stride_h - layer.window.pads.top) * in.row_stride +
           ptrdiff_t{x} * step - ptrdiff_t{layer.window.pads.left} * layer.in_channels;
  tile.a_stride = step;
  return tile;
}

void GemmConv::gather(const View& in, const TilePlace& tile, uint8_t* to) const {
  const GemmPlan::Layer& layer = plan_.layer;
  constexpr size_t max_runs = 64;
  ptrdiff_t runs[max_runs];
  const ptrdiff_t step = ptrdiff_t{layer.window.stride_w} * layer.in_channels;
  for (int32_t row = 0; row < tile.rows;) {
    const int32_t y = (tile.first + row) / layer.out_width,
                  x = (tile.first + row) % layer.out_width;
    const int32_t count = std::min(tile.rows - row, layer.out_width - x);
    const uint8_t* source =
        in.data + (ptrdiff_t{y} * layer.window.stride_h - layer.window.pads.top) * in.row_stride +
        ptrdiff_t{x} * step - ptrdiff_t{layer.window.pads.left} * layer.in_channels;
    uint8_t* pixels = to + ptrdiff_t(size_t(row) * plan_.terms.operand_stride);
    if (plan_.runs.rows.size() <= max_runs) {
      for (size_t r = 0; r < plan_.runs.rows.size(); ++r) {
        runs[r] = plan_.runs.rows[r] * in.row_stride + plan_.runs.columns[r];
      }
      plan_.kernel.gather(source, step, runs, plan_.runs.rows.size(), plan_.runs.bytes, pixels,
                          ptrdiff_t(plan_.terms.operand_stride), count);
    } else {
      // Pixel by pixel, in portions of runs, so that what a portion writes too far is overwritten.
      for (int32_t i = 0; i < count; ++i) {
        uint8_t* pixel = pixels + size_t(i) * plan_.terms.operand_stride;
        for (size_t r = 0; r < plan_.runs.rows.size(); ++r) {
          runs[0] = plan_.runs.rows[r] * in.row_stride + plan_.runs.columns[r];
          plan_.kernel.gather(source + i * step, 0, runs, 1, plan_.runs.bytes,
                              pixel + r * plan_.runs.bytes * size_t(plan_.kernel.operand_bytes), 0,
                              1);
        }
      }
    }
    row += count;
  }
}

void GemmConv::place_output(const View& out, TilePlace* tile) const {
  const GemmPlan::Layer& layer = plan_.layer;
  const int32_t y = tile->first / layer.out_width, x = tile->first % layer.out_width;
  const bool seamless = out.row_stride == ptrdiff_t{layer.out_width} * layer.out_channels;
  tile->out = ptrdiff_t{y} * out.row_stride + ptrdiff_t{x} * layer.out_channels;
  tile->wrap = seamless || x + tile->rows <= layer.out_width ? INT32_MAX : layer.out_width - x;
}

// Rows of a slice's tiles.
int32_t GemmConv::tile_rows(int32_t pixels) const {
  const int32_t most = plan_.tiles.rows[0];
  if (!plan_.kernel.repeats_rows) return most;
  const int32_t count = (pixels + most - 1) / most;
  return (pixels + count - 1) / count;
}

// Lays out the next block of tiles; returns their number.
int32_t GemmConv::prepare(const View& in, const View& out, int32_t first, int32_t last,
                          int32_t rows, const Scratch& scratch) const {
  const GemmPlan::Layer& layer = plan_.layer;
  int32_t count = 0;
  uint8_t* operands = scratch.operands;
  for (; first < last && count < plan_.tiles.block; ++count) {
    if (plan_.kernel.repeats_rows) first = std::min(first, last - rows);
    TilePlace tile = place(in, first, std::min(first + rows, last));
    if (tile.a == nullptr) {
      gather(in, tile, operands);
      tile.a = operands;
      tile.a_stride = ptrdiff_t(plan_.terms.operand_stride);
      operands += size_t(tile.rows) * plan_.terms.operand_stride;
    }
    if (layer.correction != 0) {
      int32_t* sums = scratch.row_terms + count * plan_.tiles.rows[0];
      plan_.kernel.row_sums(tile.a, tile.a_stride, layer.reduction, tile.rows, sums);
      for (int32_t i = 0; i < tile.rows; ++i) {
        sums[i] = int32_t(uint32_t(sums[i]) * uint32_t(layer.correction));
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
  const GemmPlan::Layer& layer = plan_.layer;
  const PanelWidth& width = plan_.tiles.panels[panel];
  const int32_t channels = std::min(plan_.channels_of(width), layer.out_channels - width.first);
  const auto to = [&](int32_t row) {
    const int32_t pixel = tile.first + row;
    return out.data + ptrdiff_t{pixel / layer.out_width} * out.row_stride +
           ptrdiff_t{pixel % layer.out_width} * layer.out_channels + width.first;
  };
  if (plan_.form == Form::raw) {
    weights_.raw(panel)(reinterpret_cast<const int32_t*>(scratch.results), tile.rows, to);
    return;
  }
  for (int32_t row = 0; row < tile.rows; ++row) {
    std::memcpy(to(row), scratch.results + row * plan_.channels_of(width), size_t(channels));
  }
}

void GemmConv::run_tile(const View& out, size_t panel, const TilePlace& tile, TileArgs* args,
                        const Scratch& scratch) const {
  const GemmPlan::Layer& layer = plan_.layer;
  const PanelWidth& width = plan_.tiles.panels[panel];
  const int32_t channels = plan_.channels_of(width);
  const TileShape& shape = plan_.shape_of(tile.shape, width);
  const bool whole = shape.fits(tile.rows) &&
                     (plan_.kernel.stores_part || args->panel.channels == channels) &&
                     plan_.form != Form::raw;
  // Parts of tiles of pairs step over one gap themselves, other shapes over any number.
  const bool joined =
      tile.wrap == INT32_MAX ||
      (shape.takes_fewer && (plan_.kernel.pairs == nullptr || layer.out_width >= pair_part_rows));
  args->rows.data = tile.a;
  args->rows.stride = tile.a_stride;
  args->rows.count = tile.rows;
  const Tile run = shape.tile[int(plan_.form)];
  if (whole && joined) {
    args->out.data = out.data + tile.out + width.first;
    args->out.stride = layer.out_channels;
    args->out.wrap = tile.wrap;
    run(*args);
  } else {
    args->out.data = scratch.results;
    args->out.wrap = INT32_MAX;
    args->out.stride = channels * (plan_.form == Form::raw ? 4 : 1);
    run(*args);
    copy_out(out, panel, tile, scratch);
  }
}

void GemmConv::run_panel(const View& out, size_t p, int32_t tile_count,
                         const Scratch& scratch) const {
  const GemmPlan::Layer& layer = plan_.layer;
  TileArgs args;
  args.panel = weights_.tile_args(p);
  args.out.gap = out.row_stride - ptrdiff_t{layer.out_width} * layer.out_channels;
  args.out.width = layer.out_width;
  args.amx = {plan_.terms.steps, static_cast<int32_t>(plan_.terms.groups) / plan_.terms.steps,
              scratch.state};
  const bool ahead = layer.pixels() <= prefetch_pixels && tile_count > 1;
  const size_t bytes = weights_.panel_bytes(p);
  const uint8_t* next = args.panel.weights + bytes;
  const size_t share = ahead ? round_up(bytes / size_t(tile_count), 64) : 0;
  for (int32_t t = 0; t < tile_count; ++t) {
    for (size_t i = 0; i < share; i += 64) __builtin_prefetch(next + size_t(t) * share + i, 0, 2);
    if (layer.correction != 0) args.rows.terms = scratch.row_terms + t * plan_.tiles.rows[0];
    run_tile(out, p, scratch.tiles[t], &args, scratch);
  }
}

void GemmConv::run(const View& in, const View& out, const Slice& slice, uint8_t* memory) const {
  const GemmPlan::Layer& layer = plan_.layer;
  const Scratch scratch = divide(memory);
  const RunState* state = plan_.kernel.state;
  if (state != nullptr) state->begin(scratch.state);
  int32_t first = slice.row_begin * layer.out_width;
  const int32_t last = slice.row_end * layer.out_width, rows = tile_rows(last - first);
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
