// SPDX-License-Identifier: Apache-2.0
// Additions of 8-bit images whose form has no SIMD path (stages, a fused multiply-add, rules that
// look at parity): 256 x 256 codes in, one code out, so the definition is tabulated whole at load.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "program/program.h"

namespace lastbit {

class AddTable {
 public:
  // All three tensors have 8 bits.
  AddTable(const program::Add& add, const program::Tensor& a, const program::Tensor& b,
           const program::Tensor& output);

  // y[i] = add(a[i], b[i]), stored codes; y may be a or b.
  void run(const uint8_t* a, const uint8_t* b, size_t count, uint8_t* y) const {
    const uint8_t* table = table_.data();
    for (size_t i = 0; i < count; ++i) y[i] = table[size_t{a[i]} << 8 | b[i]];
  }

 private:
  std::vector<uint8_t> table_;  // [stored a][stored b]
};

}  // namespace lastbit
