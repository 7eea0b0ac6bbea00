// SPDX-License-Identifier: Apache-2.0
// Runs a loaded program. A Model is what all runs share (packed weights, the plan), a Context what
// one run needs for itself (arena, scratch); an Engine has one Model, a pool of threads and a
// Context for each of them.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "exec/plan.h"
#include "exec/step.h"
#include "kernels/input/input.h"
#include "program/program.h"
#include "program/ranges.h"
#include "threads/thread_pool.h"

namespace lastbit::exec {

struct EngineOptions {
  int32_t threads = 1;  // [1, 256]
  StepOptions steps;
};

// Dense NHWC codes of a tensor, in its own type, to be copied to `to` when they are written.
struct Copy {
  uint32_t tensor;
  void* to;
};

// One image, in one of three forms: dense NHWC codes of the input's type; f32 reals, NCHW; or u8
// pixels, NHWC, with a table of codes (kernels/input/input.h).
struct Input {
  const void* codes = nullptr;
  const float* reals = nullptr;
  const uint8_t* pixels = nullptr;
  const int32_t* table = nullptr;  // 256 codes for each channel
};

// One inference. Every `to` holds Tensor::bytes() bytes.
struct Job {
  Input input;
  std::vector<Copy> copies;                // of outputs and taps
  std::vector<uint64_t>* op_ns = nullptr;  // if given: one entry per operation, its nanoseconds
  // If given and true, the run ends before its next task. A task is bounded (Context).
  const std::atomic<bool>* cancel = nullptr;

  bool is_cancelled() const { return cancel != nullptr && cancel->load(std::memory_order_relaxed); }
};

// The first trap, or op = -1. After a trap only copies of tensors written before it are made; after
// reals that are no numbers, none. Of a cancelled run nothing is worth reading.
struct Outcome {
  bool not_a_number = false;
  bool cancelled = false;
  int32_t op = -1;
  TrapSite trap;
};

class AlignedBytes {
 public:
  explicit AlignedBytes(size_t size);  // zeroed, 64-byte aligned; throws std::bad_alloc
  uint8_t* data() const { return start_; }

 private:
  std::unique_ptr<uint8_t[]> bytes_;
  uint8_t* start_;
};

class Model {
 public:
  // Takes the program and packs its weights; the bytes that it was loaded from may go afterwards.
  Model(program::Program program, const StepOptions& options);

  const program::Program& program() const { return program_; }
  const Plan& plan() const { return plan_; }
  const std::vector<std::unique_ptr<Step>>& steps() const { return steps_; }
  size_t scratch_bytes() const { return scratch_bytes_; }

  // Extremes over the channels of what a convolution's accumulator can reach (program/ranges.h);
  // {0, 0} for other operations.
  const std::vector<program::Range>& accumulator_ranges() const { return ranges_; }

 private:
  program::Program program_;
  std::vector<std::unique_ptr<Step>> steps_;
  std::vector<program::Range> ranges_;
  Plan plan_;
  size_t scratch_bytes_ = 0;
};

class Context {
 public:
  // `threads` that may work for one run.
  Context(const Model& model, int32_t threads);

  // Runs on `pool`, which has as many threads, or on the caller alone if it is null. Allocates
  // nothing.
  Outcome run(const Job& job, threads::ThreadPool* pool);

 private:
  bool take_input(const Input& input, threads::ThreadPool* pool);
  bool run_step(size_t i, const Job& job, threads::ThreadPool* pool, Outcome* outcome);
  void copy_out(const Job& job, uint32_t tensor) const;

  const Model& model_;
  int32_t threads_;
  AlignedBytes arena_;
  AlignedBytes scratch_;
  std::vector<Image> images_;
  InputQuantizer quantizer_;
  std::vector<std::vector<const Image*>> inputs_;  // by operation
  std::vector<int32_t> tasks_;                     // by operation
  std::vector<TrapSite> traps_;                    // by task
};

class Engine {
 public:
  Engine(program::Program program, const EngineOptions& options);

  const Model& model() const { return model_; }
  int32_t threads() const { return pool_.threads(); }

  // Bytes of one context; the engine has one, and one more for each thread from the first run_many.
  size_t context_bytes() const {
    return model_.plan().arena_bytes + model_.scratch_bytes() * static_cast<size_t>(threads());
  }

  // One inference on all threads. Calls from several threads take turns.
  Outcome run(const Job& job);
  // Many inferences, one thread for each at a time; better throughput, worse latency.
  std::vector<Outcome> run_many(const std::vector<Job>& jobs);

 private:
  Model model_;
  threads::ThreadPool pool_;
  std::mutex mutex_;
  Context context_;
  std::vector<std::unique_ptr<Context>> single_;  // by thread, made at the first run_many
};

}  // namespace lastbit::exec
