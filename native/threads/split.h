// SPDX-License-Identifier: Apache-2.0
// Into how many tasks work is cut, and where.
#pragma once
#include <algorithm>
#include <cstdint>

namespace lastbit::threads {

// More tasks than threads, so that a thread on a busy core leaves work to the others.
constexpr int32_t tasks_per_thread = 4;

inline int32_t split(int32_t parts, int32_t threads) {
  return threads == 1 ? 1 : std::min(parts, threads * tasks_per_thread);
}

// Where part `part` of `parts` of `count` things begins.
constexpr int32_t part_begin(int32_t count, int32_t part, int32_t parts) {
  return static_cast<int32_t>(int64_t{count} * part / parts);
}

}  // namespace lastbit::threads
