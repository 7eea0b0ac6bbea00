// SPDX-License-Identifier: Apache-2.0
// Memory whose first byte starts a cache line, zero filled.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

namespace lastbit {

struct AlignedDelete {
  void operator()(uint8_t* p) const { ::operator delete(p, std::align_val_t{64}); }
};
using AlignedBytes = std::unique_ptr<uint8_t[], AlignedDelete>;

inline AlignedBytes aligned_bytes(size_t count) {
  auto* p = static_cast<uint8_t*>(::operator new(count, std::align_val_t{64}));
  std::memset(p, 0, count);
  return AlignedBytes(p);
}

constexpr size_t round_up(size_t value, size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace lastbit
