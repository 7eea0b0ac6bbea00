// SPDX-License-Identifier: Apache-2.0
// Where tensors live: one arena in which a tensor's memory is reused after its last reader.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "memory/view.h"
#include "program/program.h"

namespace lastbit::exec {

struct Placement {
  Pads halo;  // what its readers ask for; zero for tensors of more than 8 bits
  ptrdiff_t row_bytes = 0;
  size_t bytes = 0;   // of the image with its halo
  size_t offset = 0;  // of the first byte of the halo, a multiple of 64
  size_t origin = 0;  // of pixel (0, 0)
};

struct Plan {
  std::vector<Placement> tensors;  // as in the program
  // All offsets, plus 64 readable bytes after the last one (memory/view.h).
  size_t arena_bytes = 0;
};

// `input_halos` holds for each operation the halo that it asks of its inputs.
Plan make_plan(const program::Program& program, const std::vector<Pads>& input_halos);

}  // namespace lastbit::exec
