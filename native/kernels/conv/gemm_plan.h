// SPDX-License-Identifier: Apache-2.0
// How a convolution becomes tiles of a GEMM, decided once, at load: output pixels are rows, the
// taps and channels under the kernel are terms, output channels are divided among panels.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/conv/fast_conv_plan.h"
#include "kernels/conv/panel_widths.h"
#include "kernels/gemm/gemm.h"

namespace lastbit {

struct GemmPlan {
  // What of the layer its tiles need.
  struct Layer {
    program::Window window;
    Pads halo;  // of the input view
    int32_t in_channels, out_height, out_width, out_channels;
    size_t reduction;
    int32_t correction;  // what all weights are less than w - zw; see ConvPlan

    int32_t pixels() const { return out_height * out_width; }
  };
  // How the terms of one pixel lie.
  struct Terms {
    size_t groups;
    int32_t steps;          // groups by what the kernel takes at once
    size_t operand_stride;  // bytes of a gathered pixel
    bool in_place;          // activations need no gathering where they lie at one stride
  };
  // Neighbouring input bytes under the kernel, as a gather copies them.
  struct Runs {
    size_t bytes;
    std::vector<ptrdiff_t> rows, columns;  // position of each run
  };
  struct Tiles {
    std::vector<PanelWidth> panels;
    std::vector<int32_t> rows;  // of tiles, falling
    // By the panel's vectors, for each entry of rows; null where the kernel has none.
    std::vector<const TileShape*> shapes[5];
    int32_t block = 1;          // tiles that are laid out before a panel passes over them
    bool by_panel = false;      // splitting a layer by panels beats splitting it by rows
    int32_t most_channels = 0;  // of a panel
  };

  const GemmKernel& kernel;
  Layer layer;
  Terms terms;
  Runs runs;
  Form form;
  int32_t scale;  // 2^prescale
  Tiles tiles;

  // `correction`: added to the weights that are packed, to give w - zw.
  GemmPlan(const ConvPlan& plan, const GemmKernel& kernel, int32_t correction);

  int32_t channels_of(const PanelWidth& width) const { return width.vectors * kernel.lanes; }
  // The smallest shape for that many rows, as a place in the lists of shapes.
  int32_t shape_for(int32_t rows) const;
  const TileShape& shape_of(int32_t shape, const PanelWidth& width) const {
    return *tiles.shapes[width.vectors][static_cast<size_t>(shape)];
  }
};

// Groups of terms of one pixel, before padding.
size_t groups_of(const ConvPlan& plan, const GemmKernel& kernel);

}  // namespace lastbit
