// SPDX-License-Identifier: Apache-2.0
#include "kernels/conv/gemm_plan.h"

#include <algorithm>

namespace lastbit {
namespace {

constexpr size_t gather_bytes = 128 * 1024;     // operands of a block of tiles: half of a small L2
constexpr size_t gather_bytes_once = 8 * 1024;  // where one panel reads them: a part of L1
constexpr size_t l1_bytes = 48 * 1024;
constexpr int32_t max_block_tiles = 256;

GemmPlan::Layer layer_of(const ConvPlan& plan, int32_t correction) {
  return {plan.window,    plan.halo,         plan.in_channels, plan.out_height,
          plan.out_width, plan.out_channels, plan.reduction,   correction};
}

GemmPlan::Terms terms_of(const ConvPlan& plan, const GemmKernel& kernel) {
  const auto most_step = size_t(kernel.most_step);
  const size_t groups = padded_groups(groups_of(plan, kernel), most_step);
  const bool pointwise = plan.window.kernel_h == 1 && plan.window.kernel_w == 1;
  return {groups, static_cast<int32_t>(groups / step_groups(groups, most_step)), groups * 4,
          pointwise && kernel.operand_bytes == 1};
}

GemmPlan::Runs runs_of(const program::Window& window, int32_t channels) {
  const bool row_runs = window.dilation_w == 1;
  GemmPlan::Runs runs;
  runs.bytes = size_t(channels) * size_t(row_runs ? window.kernel_w : 1);
  for (int32_t ky = 0; ky < window.kernel_h; ++ky) {
    for (int32_t kx = 0; kx < (row_runs ? 1 : window.kernel_w); ++kx) {
      runs.rows.push_back(ky * window.dilation_h);
      runs.columns.push_back(ptrdiff_t{kx} * window.dilation_w * channels);
    }
  }
  return runs;
}

// Rows of the main shape, 0 if there is none of these vectors.
int32_t main_rows(const GemmKernel& kernel, int32_t vectors) {
  for (int32_t i = 0; i < kernel.shape_count; ++i) {
    if (kernel.shapes[i].vectors == vectors) return kernel.shapes[i].rows;
  }
  return 0;
}

// nullptr if the kernel has none.
const TileShape* find_shape(const GemmKernel& kernel, int32_t rows, int32_t vectors) {
  for (int32_t i = 0; i < kernel.shape_count; ++i) {
    const TileShape& shape = kernel.shapes[i];
    if (shape.rows == rows && shape.vectors == vectors) return &shape;
  }
  return nullptr;
}

// Panels of three vectors where the kernel has them. Else wide ones for single pixels (long chains
// otherwise) and for images whose width suits their fewer rows; narrow ones, with more rows, for
// the rest.
void choose_shapes(const GemmKernel& kernel, const GemmPlan::Layer& layer, GemmPlan::Tiles* tiles) {
  const int32_t narrow = main_rows(kernel, 2), mixed = main_rows(kernel, 3);
  const int32_t wide = main_rows(kernel, 4), pixels = layer.pixels();
  const bool suits = wide > 1 && layer.out_width % wide == 0 && layer.out_width % narrow != 0;
  const bool four = wide > 0 && (pixels == 1 || (wide > 1 && pixels <= 4) || suits);
  tiles->panels = mixed_panels(layer.out_channels, kernel.lanes);
  const bool three = !four && mixed > 0 && tiles->panels[0].vectors == 3;
  const int32_t vectors = four ? 4 : 2;
  for (int32_t i = 0; i < kernel.shape_count; ++i) {
    const TileShape& shape = kernel.shapes[i];
    if (shape.vectors == vectors && (!three || shape.rows <= mixed)) {
      tiles->rows.push_back(shape.rows);
    }
  }
  bool halves = true;
  for (const int32_t rows : tiles->rows) {
    for (int32_t v = 1; v <= 4; ++v) tiles->shapes[v].push_back(find_shape(kernel, rows, v));
    halves = halves && tiles->shapes[vectors / 2].back() != nullptr;
  }
  if (!three) tiles->panels = equal_panels(layer.out_channels, vectors, kernel.lanes, halves);
}

int32_t block_tiles(const GemmPlan& plan) {
  const size_t tile_bytes = size_t(plan.tiles.rows[0]) * plan.terms.operand_stride;
  // Where two tiles' activations would not stay in L1, each passes along all weights by itself.
  if (plan.kernel.state != nullptr && tile_bytes > l1_bytes / 2) return 1;
  const size_t bytes = plan.tiles.panels.size() == 1 ? gather_bytes_once : gather_bytes;
  return static_cast<int32_t>(std::clamp<size_t>(bytes / tile_bytes, 1, max_block_tiles));
}

// Either way a thread reads all of one operand and part of the other: all of the lesser one. What a
// slice does for all of its panels (gathering, sums of rows) is done once for all when rows are
// split.
bool split_by_panel(const GemmPlan& plan) {
  const int32_t pixels = plan.layer.pixels();
  const size_t panels = plan.tiles.panels.size();
  // Tiles of AMX are done before the other thread's activations have come: V1 on two threads, 914
  // us by panels and 836 by rows.
  const bool waits = plan.kernel.most_step > 1;
  const bool weights_weigh = plan.layer.out_channels > pixels && panels >= 8 &&
                             plan.terms.in_place && plan.layer.correction == 0 && !waits;
  return (pixels <= 64 && panels > 1) || weights_weigh;
}

}  // namespace

size_t groups_of(const ConvPlan& plan, const GemmKernel& kernel) {
  return (plan.reduction + size_t(kernel.terms) - 1) / size_t(kernel.terms);
}

GemmPlan::GemmPlan(const ConvPlan& plan, const GemmKernel& gemm, int32_t correction)
    : kernel(gemm),
      layer(layer_of(plan, correction)),
      terms(terms_of(plan, gemm)),
      runs(runs_of(plan.window, plan.in_channels)),
      form(plan.epilogue.form),
      scale(1 << plan.epilogue.prescale) {
  choose_shapes(kernel, layer, &tiles);
  for (const PanelWidth& width : tiles.panels) {
    tiles.most_channels = std::max(tiles.most_channels, channels_of(width));
  }
  tiles.block = block_tiles(*this);
  tiles.by_panel = split_by_panel(*this);
}

int32_t GemmPlan::shape_for(int32_t rows) const {
  size_t i = 0;
  while (i + 1 < tiles.rows.size() && tiles.rows[i + 1] >= rows) ++i;
  return static_cast<int32_t>(i);
}

}  // namespace lastbit
