// SPDX-License-Identifier: Apache-2.0
// A run allocates nothing: every operator new of this program is counted, on all threads.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include "cpu.h"
#include "exec/engine.h"
#include "native/program_bytes.h"
#include "program/load.h"

namespace {
std::atomic<int64_t> allocations{0};

void* counted(size_t size) {
  allocations.fetch_add(1);
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
}  // namespace

// The other forms of new and delete call these.
void* operator new(size_t size) { return counted(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace lastbit::test {
namespace {

// Allocations of ten runs of a program, with taps on all of its tensors.
int64_t allocations_of_runs(const ProgramSpec& spec, int32_t threads, bool reference) {
  const std::vector<uint8_t> bytes = spec.encode();
  program::LoadResult loaded = program::load(bytes.data(), bytes.size());
  EXPECT_TRUE(loaded.ok) << loaded.message;
  if (!loaded.ok) return -1;
  exec::EngineOptions options;
  options.threads = threads;
  options.steps = {cpu::detect(), reference};
  exec::Engine engine(std::move(loaded.program), options);
  const program::Program& program = engine.model().program();
  const std::vector<uint8_t> input(program.tensors[program.input].bytes(), 77);
  std::vector<std::vector<uint8_t>> codes;
  for (const program::Tensor& t : program.tensors) codes.emplace_back(t.bytes());
  exec::Job job;
  job.input.codes = input.data();
  for (const program::Op& op : program.ops) {
    job.copies.push_back({op.output, codes[op.output].data()});
  }
  std::vector<uint64_t> op_ns(program.ops.size());
  job.op_ns = &op_ns;
  const int64_t before = allocations.load();
  for (int i = 0; i < 10; ++i) engine.run(job);
  return allocations.load() - before;
}

ConvSpec depthwise() {
  ConvSpec c;
  c.out.channels = 4;
  c.groups = 4;
  c.weights.assign(4 * 9, 3);
  c.bias.assign(4, 100);
  return c;
}

ConvSpec dense() {
  ConvSpec c;
  c.groups = 1;
  c.weights.assign(6 * 9 * 4, 3);
  return c;
}

TEST(Allocation, IsCounted) {
  const int64_t before = allocations.load();
  delete new int(1);
  std::vector<int> ten(10);
  EXPECT_GE(allocations.load() - before, ten.empty() ? 0 : 1);
}

TEST(Allocation, NoneInARun) {
  PoolSpec global;
  global.window = {5, 5, 1, 1, 0, 0, 0, 0};
  global.out.height = global.out.width = 1;
  ConvSpec staged;
  staged.requant.kind = 4;
  staged.requant.stages = all_stages();
  AddSpec weighted;
  weighted.form = 3;
  weighted.requant = staged.requant;
  PoolSpec window;
  window.form = 2;
  const std::vector<ProgramSpec> programs{
      staged.program(),      weighted.program(), window.average(),        ConvSpec().program(),
      depthwise().program(), dense().program(),  AddSpec().program(),     PoolSpec().average(),
      PoolSpec().max(),      global.average(),   SoftmaxSpec().program(), MixedSpec().program()};
  for (size_t i = 0; i < programs.size(); ++i) {
    for (const int32_t threads : {1, 3}) {
      EXPECT_EQ(allocations_of_runs(programs[i], threads, true), 0) << "program " << i;
      EXPECT_EQ(allocations_of_runs(programs[i], threads, false), 0) << "program " << i;
    }
  }
}

}  // namespace
}  // namespace lastbit::test
