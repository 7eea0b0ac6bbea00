// SPDX-License-Identifier: Apache-2.0
#include "exec/plan.h"

#include <algorithm>
#include <numeric>

namespace lastbit::exec {
namespace {

using program::Program;
using program::Tensor;

constexpr size_t alignment = 64;
// What kernels may read past an image. No live tensor lies there: other threads may be writing it.
constexpr size_t slack = 64;

// Operations [first, last] during which a tensor's bytes must stay: from the one that writes it
// (-1: the input) to its last reader.
struct Life {
  int64_t first = -1, last = -1;
  bool overlaps(const Life& other) const { return first <= other.last && other.first <= last; }
};

std::vector<Life> lives_of(const Program& program) {
  std::vector<Life> lives(program.tensors.size());
  for (size_t i = 0; i < program.ops.size(); ++i) {
    const auto now = static_cast<int64_t>(i);
    for (const uint32_t input : program.ops[i].inputs) lives[input].last = now;
    lives[program.ops[i].output] = {now, now};
  }
  return lives;
}

Pads widest(const Pads& a, const Pads& b) {
  return {std::max(a.top, b.top), std::max(a.left, b.left), std::max(a.bottom, b.bottom),
          std::max(a.right, b.right)};
}

Placement layout(const Tensor& t, const Pads& halo) {
  Placement p;
  if (program::is_8_bit(t.type)) p.halo = halo;
  const size_t pixel = static_cast<size_t>(t.channels) * program::code_bytes(t.type);
  const size_t row = static_cast<size_t>(p.halo.left + t.width + p.halo.right) * pixel;
  p.row_bytes = static_cast<ptrdiff_t>(row);
  p.bytes = static_cast<size_t>(p.halo.top + t.height + p.halo.bottom) * row;
  p.origin = static_cast<size_t>(p.halo.top) * row + static_cast<size_t>(p.halo.left) * pixel;
  return p;
}

// The lowest offset at which `bytes` fit between the taken ranges, which are sorted by begin.
struct Taken {
  size_t begin, end;
};

size_t lowest_gap(const std::vector<Taken>& taken, size_t bytes) {
  size_t at = 0;
  for (const Taken& t : taken) {
    if (t.begin >= at + bytes) break;
    at = std::max(at, t.end);
  }
  return at;
}

}  // namespace

Plan make_plan(const Program& program, const std::vector<Pads>& input_halos) {
  std::vector<Pads> halos(program.tensors.size());
  for (size_t i = 0; i < program.ops.size(); ++i) {
    for (const uint32_t t : program.ops[i].inputs) halos[t] = widest(halos[t], input_halos[i]);
  }
  Plan plan;
  for (size_t t = 0; t < halos.size(); ++t) {
    plan.tensors.push_back(layout(program.tensors[t], halos[t]));
  }
  const std::vector<Life> lives = lives_of(program);
  // Greedy by size: large tensors first, each at the lowest offset that is free all its life.
  std::vector<size_t> order(halos.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&plan](size_t a, size_t b) {
    return plan.tensors[a].bytes > plan.tensors[b].bytes;
  });
  std::vector<Taken> taken;
  for (size_t i = 0; i < order.size(); ++i) {
    Placement& p = plan.tensors[order[i]];
    taken.clear();
    for (size_t j = 0; j < i; ++j) {
      const Placement& other = plan.tensors[order[j]];
      if (!lives[order[i]].overlaps(lives[order[j]])) continue;
      const size_t end = other.offset + other.bytes + slack;
      taken.push_back({other.offset, (end + alignment - 1) / alignment * alignment});
    }
    std::sort(taken.begin(), taken.end(),
              [](const Taken& a, const Taken& b) { return a.begin < b.begin; });
    p.offset = lowest_gap(taken, p.bytes + slack);
    p.origin += p.offset;
    plan.arena_bytes = std::max(plan.arena_bytes, p.offset + p.bytes + slack);
  }
  return plan;
}

}  // namespace lastbit::exec
