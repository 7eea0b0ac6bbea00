// SPDX-License-Identifier: Apache-2.0
// Into how many tasks work is cut; part_begin of kernels/view.h says where.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/view.h"

namespace lastbit::exec {

// More tasks than threads, so that a thread on a busy core leaves work to the others.
constexpr int32_t tasks_per_thread = 4;

inline int32_t split(int32_t parts, int32_t threads) {
  return threads == 1 ? 1 : std::min(parts, threads * tasks_per_thread);
}

}  // namespace lastbit::exec
