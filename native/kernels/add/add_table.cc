// SPDX-License-Identifier: Apache-2.0
#include "kernels/add/add_table.h"

#include <algorithm>
#include <numeric>

#include "kernels/add/add_ref.h"

namespace lastbit {

AddTable::AddTable(const program::Add& add, const program::Tensor& a, const program::Tensor& b,
                   const program::Tensor& output)
    : table_(256 * 256) {
  int32_t codes_a[256], codes_b[256], sums[256];
  std::iota(codes_b, codes_b + 256, program::least_code(b.type));
  const int32_t offset = program::stored_offset(output.type);
  for (int32_t stored = 0; stored < 256; ++stored) {
    std::fill_n(codes_a, 256, stored + program::least_code(a.type));
    add_ref(add, a, b, output, codes_a, codes_b, 256, sums);
    uint8_t* row = table_.data() + ptrdiff_t{stored} * 256;
    for (size_t i = 0; i < 256; ++i) row[i] = static_cast<uint8_t>(sums[i] + offset);
  }
}

}  // namespace lastbit
