// SPDX-License-Identifier: Apache-2.0
// Bytes -> checked Program. Layout and checks: src/program/NOTES.md.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "program/program.h"

namespace lastbit::program {

constexpr uint32_t format_version = 1;

struct LoadResult {
  bool ok = false;
  Program program;
  // If not ok: what was expected and what came, and the byte at which it was found out.
  std::string message;
  size_t offset = 0;
};

// Reads `size` bytes at `bytes`, which must be 4-byte aligned and outlive the weights' use
// (Conv::weights points into them). Any bytes are safe to give. The CRC is not checked here.
LoadResult load(const uint8_t* bytes, size_t size);

}  // namespace lastbit::program
