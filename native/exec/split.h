// SPDX-License-Identifier: Apache-2.0
// How work is cut into tasks.
#pragma once
#include <algorithm>
#include <cstdint>

namespace lastbit::exec {

// More tasks than threads, so that a thread on a busy core leaves work to the others.
constexpr int32_t tasks_per_thread = 4;

inline int32_t split(int32_t parts, int32_t threads) {
  return threads == 1 ? 1 : std::min(parts, threads * tasks_per_thread);
}

// The first of `parts` that belongs to a task; that of task + 1 is its end.
inline int32_t part_begin(int32_t parts, int32_t task, int32_t tasks) {
  return static_cast<int32_t>(int64_t{parts} * task / tasks);
}

}  // namespace lastbit::exec
