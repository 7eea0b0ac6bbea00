// SPDX-License-Identifier: Apache-2.0
// The executor in small: values worked by hand, the arena, traps, threads. Agreement with the
// interpreter on random programs is tested from TypeScript (test/engine).
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "cpu.h"
#include "exec/engine.h"
#include "native/program_bytes.h"
#include "program/load.h"
#include "program/ranges.h"

namespace lastbit::test {
namespace {

using exec::Engine;
using exec::EngineOptions;
using exec::Job;
using exec::Outcome;

program::Program loaded(const std::vector<uint8_t>& bytes) {
  program::LoadResult result = program::load(bytes.data(), bytes.size());
  EXPECT_TRUE(result.ok) << result.message;
  return std::move(result.program);
}

EngineOptions options(int32_t threads, bool reference) {
  EngineOptions o;
  o.threads = threads;
  o.steps = {cpu::detect(), reference};
  return o;
}

// 1 x 1 x 2 u8 -> 1 x 1 x 1 s8; weights 3 and -2, bias 5, halved half-up.
ConvSpec tiny_conv() {
  ConvSpec c;
  c.in = {"x", 0, 1, 1, 2, 10};
  c.out = {"y", 1, 1, 1, 1, -1};
  c.window = {1, 1, 1, 1, 1, 1, 0, 0, 0, 0};
  c.groups = 1;
  c.weights = {3, -2};
  c.bias = {5};
  c.requant.multiplier = {1 << 30};
  c.requant.shift = {31};
  c.clamp = {{-128}, {127}};
  return c;
}

int run_tiny(const ConvSpec& spec, std::vector<uint8_t> codes, Outcome* outcome = nullptr) {
  const std::vector<uint8_t> bytes = spec.program().encode();
  Engine engine(loaded(bytes), options(1, true));
  int8_t y = 99;
  Job job;
  job.input.codes = codes.data();
  job.copies = {{1, &y}};
  const Outcome result = engine.run(job);
  if (outcome != nullptr) *outcome = result;
  return y;
}

TEST(Exec, ConvolutionByHand) {
  // (14 - 10) * 3 + (12 - 10) * -2 + 5 = 13; 13 / 2 half up = 7; + (-1)
  EXPECT_EQ(run_tiny(tiny_conv(), {14, 12}), 6);
  // (0 - 10) * 3 + (255 - 10) * -2 + 5 = -515; -257.5 half up = -257; clamped
  EXPECT_EQ(run_tiny(tiny_conv(), {0, 255}), -128);
}

TEST(Exec, NarrowAccumulatorsOverflowInOrder) {
  ConvSpec c = tiny_conv();
  c.weights = {127, 127};
  c.weights.resize(2);
  c.requant.shift = {38};
  // Exact: 245 * 127 + 240 * 127 + 5 = 61600; 16 bits, at the end, wrap: -3936; / 256 = -15; -1
  c.accumulator = {16, 0, 1, 0, 0};
  EXPECT_EQ(run_tiny(c, {255, 250}), -16);
  // Saturating at each step: 32767 (second product), + 5 stays; / 256 = 128; -1
  c.accumulator = {16, 1, 0, 0, 0};
  EXPECT_EQ(run_tiny(c, {255, 250}), 127);
  // Trap: after the second product, bias last: 31115 + 30480
  c.accumulator = {16, 3, 0, 0, 0};
  Outcome outcome;
  EXPECT_EQ(run_tiny(c, {255, 250}, &outcome), 99);  // nothing copied
  EXPECT_EQ(outcome.op, 0);
  EXPECT_EQ(outcome.trap.element, 0);
  EXPECT_EQ(outcome.trap.value, 61595);
  // Bias first, within range for these codes
  c.accumulator = {16, 3, 0, 0, 1};
  EXPECT_EQ(run_tiny(c, {20, 20}, &outcome), static_cast<int>(((1270 * 2 + 5) + 128) / 256) - 1);
  EXPECT_EQ(outcome.op, -1);
}

TEST(Exec, PairsSaturateAt16Bits) {
  ConvSpec c = tiny_conv();
  c.in.zero_point = 0;
  c.weights = {127, 127};
  c.requant.shift = {39};
  c.accumulator = {32, 0, 1, 1, 0};
  // 255 * 127 * 2 = 64770 saturates to 32767; + 5; / 512 = 64.008; -1
  EXPECT_EQ(run_tiny(c, {255, 255}), 63);
}

TEST(Exec, EarliestTrapWinsForAnyThreads) {
  ConvSpec c;
  c.weights.assign(c.weights.size(), 127);
  c.accumulator = {16, 3, 1, 0, 0};
  const std::vector<uint8_t> bytes = c.program().encode();
  std::vector<uint8_t> codes(5 * 4 * 4, 10);  // the zero point: no trap
  for (size_t i = 24; i < codes.size(); ++i) codes[i] = 255;
  Outcome first;
  for (const int32_t threads : {1, 2, 3, 7}) {
    Engine engine(loaded(bytes), options(threads, true));
    Job job;
    job.input.codes = codes.data();
    const Outcome outcome = engine.run(job);
    ASSERT_EQ(outcome.op, 0);
    if (threads == 1) first = outcome;
    EXPECT_EQ(outcome.trap.element, first.trap.element);
    EXPECT_EQ(outcome.trap.value, first.trap.value);
  }
  EXPECT_GT(first.trap.element, 0);
}

TEST(Exec, OneEngineServesManyThreads) {
  const std::vector<uint8_t> bytes = MixedSpec().program().encode();
  Engine engine(loaded(bytes), options(2, false));
  const size_t outputs = engine.model().program().tensors[5].codes();
  const auto expected = [&](uint8_t fill) {
    std::vector<uint8_t> codes(24, fill);
    std::vector<int16_t> y(outputs);
    Job job;
    job.input.codes = codes.data();
    job.copies = {{5, y.data()}};
    engine.run(job);
    return y;
  };
  std::atomic<int> wrong{0};
  std::vector<std::vector<int16_t>> references;
  for (uint8_t fill = 0; fill < 4; ++fill) references.push_back(expected(fill));
  std::vector<std::thread> callers;
  for (uint8_t fill = 0; fill < 4; ++fill) {
    callers.emplace_back([&, fill] {
      for (int i = 0; i < 200; ++i) {
        if (expected(fill) != references[fill]) ++wrong;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Exec, RunManyGivesWhatRunGives) {
  const std::vector<uint8_t> bytes = ConvSpec().program().encode();
  Engine engine(loaded(bytes), options(3, false));
  const size_t inputs = 5 * 4 * 4, outputs = 3 * 4 * 6;
  std::vector<std::vector<uint8_t>> in, one, many;
  std::vector<Job> jobs;
  for (uint32_t i = 0; i < 20; ++i) {
    in.emplace_back(inputs);
    for (size_t k = 0; k < inputs; ++k) in.back()[k] = static_cast<uint8_t>(k * 31 + i * 17);
    one.emplace_back(outputs);
    many.emplace_back(outputs);
  }
  for (size_t i = 0; i < in.size(); ++i) {
    Job job;
    job.input.codes = in[i].data();
    job.copies = {{1, one[i].data()}};
    engine.run(job);
    jobs.push_back(job);
    jobs.back().copies = {{1, many[i].data()}};
  }
  EXPECT_EQ(engine.run_many(jobs).size(), jobs.size());
  EXPECT_EQ(one, many);
}

TEST(Exec, TimesEachOperation) {
  const std::vector<uint8_t> bytes = MixedSpec().program().encode();
  Engine engine(loaded(bytes), options(1, true));
  const std::vector<uint8_t> codes(24, 7);
  std::vector<uint64_t> op_ns(5, 0);
  Job job;
  job.input.codes = codes.data();
  job.op_ns = &op_ns;
  engine.run(job);
  for (const uint64_t ns : op_ns) EXPECT_GT(ns, 0u);
}

TEST(Plan, LiveTensorsNeverOverlap) {
  const std::vector<uint8_t> bytes = MixedSpec().program().encode();
  const program::Program p = loaded(bytes);
  const exec::Plan plan = exec::make_plan(p, std::vector<Pads>(p.ops.size(), Pads{1, 2, 3, 4}));
  // Written by operation i - 1 (0: the input), read last by:
  const std::vector<size_t> last{2, 2, 3, 4, 5, 5};
  for (size_t a = 0; a < plan.tensors.size(); ++a) {
    const exec::Placement& pa = plan.tensors[a];
    EXPECT_EQ(pa.offset % 64, 0u);
    EXPECT_LE(pa.offset + pa.bytes + 64, plan.arena_bytes);
    EXPECT_EQ(pa.halo.right, a == 5 ? 0 : 4);  // s16 has no halo, and nobody reads it
    for (size_t b = 0; b < a; ++b) {
      const exec::Placement& pb = plan.tensors[b];
      if (last[b] < a) continue;  // dead when a is written
      // Past either, kernels may read 64 bytes.
      EXPECT_TRUE(pa.offset + pa.bytes + 64 <= pb.offset || pb.offset + pb.bytes + 64 <= pa.offset)
          << a << " and " << b;
    }
  }
}

void expect_halo(int32_t parts) {
  Image image;
  image.height = 3, image.width = 2, image.channels = 2;
  image.halo = {1, 2, 3, 1};
  image.type = program::CodeType::s8;
  image.row_bytes = (2 + 2 + 1) * 2;
  std::vector<uint8_t> memory((1 + 3 + 3) * 10 + 2, 7);
  image.data = memory.data() + 1 + 10 + 4;
  for (int32_t part = 0; part < parts; ++part) fill_halo(image, -3, part, parts);
  EXPECT_EQ(memory.front(), 7);
  EXPECT_EQ(memory.back(), 7);
  for (int32_t y = -1; y < 6; ++y) {
    for (int32_t x = -2; x < 3; ++x) {
      const bool inside = y >= 0 && y < 3 && x >= 0 && x < 2;
      for (int32_t c = 0; c < 2; ++c) {
        EXPECT_EQ(image.row(y)[x * 2 + c], inside ? 7 : 125) << y << ' ' << x;
      }
    }
  }
}

TEST(Image, HaloIsFilledAroundTheImageAndNowhereElse) {
  for (const int32_t parts : {1, 2, 3, 5}) {
    SCOPED_TRACE(parts);
    expect_halo(parts);
  }
}

// What a thread wrote of one layer is in its cache for the next only if it begins with the same
// part.
TEST(ThreadPool, EachThreadBeginsWithItsOwnPart) {
  using Clock = std::chrono::steady_clock;
  constexpr int32_t threads = 3, tasks = 12;
  threads::ThreadPool pool(threads);
  std::atomic<int32_t> first[threads], arrived{0};
  for (auto& task : first) task = -1;
  pool.run(tasks, [&](int32_t task, int32_t thread) {
    if (first[thread] >= 0) return;
    first[thread] = task;
    ++arrived;
    // Nobody goes on before all are here, so nobody takes what is another's.
    const auto end = Clock::now() + std::chrono::seconds(5);
    while (arrived < threads && Clock::now() < end) std::this_thread::yield();
  });
  ASSERT_EQ(arrived, threads) << "a worker got no core for seconds";
  for (int32_t i = 0; i < threads; ++i) EXPECT_EQ(first[i], i * tasks / threads);
}

// A worker that loses its core in the middle of a task: the caller waits once, then leaves it out.
TEST(ThreadPool, LateWorkerRests) {
  using Clock = std::chrono::steady_clock;
  threads::ThreadPool pool(2);
  std::atomic<int32_t> helped{0};
  const auto round = [&](std::chrono::milliseconds delay) {
    std::atomic<bool> joined{false};
    pool.run(2, [&](int32_t, int32_t thread) {
      if (thread != 0) {
        joined = true;
        helped.fetch_add(1);
        std::this_thread::sleep_for(delay);
        return;
      }
      // Leaves the other task to the worker, which may be asleep.
      const auto end = Clock::now() + std::chrono::milliseconds(5);
      while (!joined && Clock::now() < end) std::this_thread::yield();
    });
  };
  // Until the worker has taken a task once; the caller may be given both by a busy machine.
  for (int i = 0; i < 200 && helped == 0; ++i) round(std::chrono::milliseconds(300));
  ASSERT_EQ(helped, 1);
  for (int i = 0; i < 3; ++i) round(std::chrono::milliseconds(0));  // some 15 of 200 ms
  EXPECT_EQ(helped, 1) << "the worker should still rest";
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  for (int i = 0; i < 200 && helped == 1; ++i) round(std::chrono::milliseconds(0));
  EXPECT_GT(helped, 1) << "the worker should be back";
}

TEST(ThreadPool, RunsEachTaskOnce) {
  threads::ThreadPool pool(4);
  for (int round = 0; round < 2000; ++round) {
    const int32_t tasks = 1 + round % 37;
    std::vector<std::atomic<int>> counts(static_cast<size_t>(tasks));
    pool.run(tasks, [&](int32_t task, int32_t thread) {
      EXPECT_LT(thread, 4);
      counts[static_cast<size_t>(task)].fetch_add(1);
    });
    for (const std::atomic<int>& count : counts) ASSERT_EQ(count.load(), 1);
    if (round % 500 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));  // sleepers
  }
}

TEST(Ranges, BoundsAreReachedAndHeld) {
  ConvSpec c = tiny_conv();
  c.bias = {-5};
  const std::vector<uint8_t> bytes = c.program().encode();
  const program::Program p = loaded(bytes);
  const auto& conv = std::get<program::Conv>(p.ops[0].body);
  // x - z in [-10, 245]: 3 * -10 + -2 * 245 - 5, and 3 * 245 + 2 * 10 without the bias
  const program::Range r = accumulator_range(conv, p.tensors[0], 0);
  EXPECT_EQ(r.min, -525);
  EXPECT_EQ(r.max, 755);
}

TEST(Ranges, DecideWhetherOrderCanMatter) {
  const auto exact = [](const ConvSpec& c) {
    const std::vector<uint8_t> bytes = c.program().encode();
    const program::Program p = loaded(bytes);
    return exact_in_int32(std::get<program::Conv>(p.ops[0].body), p.tensors[0]);
  };
  ConvSpec c = tiny_conv();
  c.weights = {127, 7};  // at most 245 * 134 = 32830 + 5
  EXPECT_TRUE(exact(c));
  c.accumulator = {16, 1, 0, 0, 0};
  EXPECT_FALSE(exact(c));
  c.weights = {127, 6};  // 32585 + 5 fits
  EXPECT_TRUE(exact(c));
  c.accumulator = {16, 1, 0, 0, 0};
  c.bias = {183};  // 32768 does not
  EXPECT_FALSE(exact(c));
  c.bias = {182};
  EXPECT_TRUE(exact(c));
  c.bias = {INT32_MAX};
  c.accumulator = {32, 0, 0, 0, 0};  // wraps at 32 bits, as int32 does
  EXPECT_TRUE(exact(c));
  c.accumulator = {32, 1, 1, 0, 0};
  EXPECT_FALSE(exact(c));
  c = tiny_conv();
  c.accumulator = {32, 0, 1, 1, 0};
  c.weights = {64, 64};  // 255 * 128 = 32640
  EXPECT_TRUE(exact(c));
  c.weights = {64, 65};
  EXPECT_FALSE(exact(c));
  c.weights = {-64, -64};
  EXPECT_TRUE(exact(c));
  c.weights = {-64, -65};
  EXPECT_FALSE(exact(c));
  c.weights = {127, -128};
  EXPECT_TRUE(exact(c));
}

TEST(Cpu, TiersStandOnTheirPrerequisites) {
  uint32_t flags = 0;
  EXPECT_TRUE(cpu::tier_flags("vnni", &flags));
  EXPECT_EQ(flags, cpu::sse41 | cpu::avx2 | cpu::avx512 | cpu::vnni);
  EXPECT_FALSE(cpu::tier_flags("avx1024", &flags));
  EXPECT_TRUE(cpu::tier_flags("ref", &flags));
  EXPECT_EQ(flags, cpu::none);
  for (const char* word :
       {"ref", "sse41", "avx2", "avx512", "vnni", "amx", "avxvnni", "neon", "neondot", "i8mm"}) {
    ASSERT_TRUE(cpu::tier_flags(word, &flags));
    EXPECT_STREQ(cpu::tier_name(flags), word);
  }
}

}  // namespace
}  // namespace lastbit::test
