// SPDX-License-Identifier: Apache-2.0
// How a GEMM divides output channels among panels.
#pragma once
#include <cstdint>
#include <vector>

namespace lastbit {

struct PanelWidth {
  int32_t first, vectors;  // output channel; vectors of channels
};

// Panels of one width, the last of half of it where that holds the rest and the kernel has such
// tiles; it may be partly empty.
inline std::vector<PanelWidth> equal_panels(int32_t channels, int32_t vectors, int32_t lanes,
                                            bool halves) {
  std::vector<PanelWidth> panels;
  for (int32_t first = 0; first < channels; first += vectors * lanes) {
    const bool half = halves && channels - first <= vectors / 2 * lanes;
    panels.push_back({first, half ? vectors / 2 : vectors});
  }
  return panels;
}

// Three vectors where they fit, since a tile then reads each activation for more products, and two
// at the end: what remains is at most two thirds of a panel, or one panel with it makes two of two.
// The first panel is the widest.
inline std::vector<PanelWidth> mixed_panels(int32_t channels, int32_t lanes) {
  std::vector<PanelWidth> panels;
  for (int32_t first = 0; first < channels;) {
    const int32_t left = (channels - first + lanes - 1) / lanes;  // in vectors
    const int32_t vectors = left <= 2 || left == 4 ? 2 : 3;
    panels.push_back({first, vectors});
    first += vectors * lanes;
  }
  return panels;
}

}  // namespace lastbit
