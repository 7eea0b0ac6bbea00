// SPDX-License-Identifier: Apache-2.0
#include "exec/engine.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <utility>

#include "threads/split.h"

namespace lastbit::exec {
namespace {

using program::Conv;
using program::Program;
using program::Range;
using program::Tensor;

Range range_of(const Program& program, const program::Op& op) {
  const Conv* conv = std::get_if<Conv>(&op.body);
  if (conv == nullptr) return {};
  return hull(accumulator_ranges(*conv, program.tensors[op.inputs[0]]));
}

Image image_of(const Tensor& t, const Placement& p, uint8_t* arena) {
  Image image;
  image.data = arena + p.origin;
  image.height = t.height;
  image.width = t.width;
  image.channels = t.channels;
  image.row_bytes = p.row_bytes;
  image.halo = p.halo;
  image.type = t.type;
  return image;
}

uint64_t now_ns() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

// Multiply-accumulates or codes of a window: what an operation takes, within a factor of ten.
int64_t work_of(const Program& program, const program::Op& op) {
  const auto codes = static_cast<int64_t>(program.tensors[op.output].codes());
  if (const auto* conv = std::get_if<Conv>(&op.body)) {
    return codes * static_cast<int64_t>(conv->reduction());
  }
  const program::Window* window = nullptr;
  if (const auto* pool = std::get_if<program::AveragePool>(&op.body)) window = &pool->window;
  if (const auto* pool = std::get_if<program::MaxPool>(&op.body)) window = &pool->window;
  return window == nullptr ? codes : codes * window->kernel_h * window->kernel_w;
}

// A cancelled run ends within one task: some milliseconds, tenths of a second by reference kernels.
constexpr int64_t most_work = int64_t{1} << 26;

int32_t tasks_of(const Step& step, int64_t work, int32_t threads) {
  const int64_t wanted = std::min<int64_t>(work / most_work + 1, 1 << 12);
  return step.task_count(std::max(threads, static_cast<int32_t>(wanted)));
}

}  // namespace

AlignedBytes::AlignedBytes(size_t size) : bytes_(new uint8_t[size + 63]()) {
  const auto address = reinterpret_cast<uintptr_t>(bytes_.get());
  start_ = bytes_.get() + (64 - address % 64) % 64;
}

Model::Model(Program program, const StepOptions& options) : program_(std::move(program)) {
  std::vector<Pads> halos;
  for (program::Op& op : program_.ops) {
    steps_.push_back(make_step(program_, op, options));
    const Range* known = steps_.back()->accumulators();
    ranges_.push_back(known != nullptr ? *known : range_of(program_, op));
    halos.push_back(steps_.back()->input_halo());
    scratch_bytes_ = std::max(scratch_bytes_, steps_.back()->scratch_bytes());
    if (Conv* conv = std::get_if<Conv>(&op.body)) conv->weights = nullptr;  // packed by now
  }
  scratch_bytes_ = (scratch_bytes_ + 63) / 64 * 64;
  plan_ = make_plan(program_, halos);
}

Context::Context(const Model& model, int32_t threads)
    : model_(model),
      threads_(threads),
      arena_(model.plan().arena_bytes),
      scratch_(model.scratch_bytes() * static_cast<size_t>(threads)),
      quantizer_(model.program().tensors[model.program().input], model.program().input_rule) {
  const Program& program = model.program();
  for (size_t t = 0; t < program.tensors.size(); ++t) {
    images_.push_back(image_of(program.tensors[t], model.plan().tensors[t], arena_.data()));
  }
  int32_t most_tasks = 1;
  for (size_t i = 0; i < program.ops.size(); ++i) {
    inputs_.emplace_back();
    for (const uint32_t t : program.ops[i].inputs) inputs_.back().push_back(&images_[t]);
    tasks_.push_back(tasks_of(*model.steps()[i], work_of(program, program.ops[i]), threads));
    most_tasks = std::max(most_tasks, tasks_.back());
  }
  traps_.resize(static_cast<size_t>(most_tasks));
}

void Context::copy_out(const Job& job, uint32_t tensor) const {
  for (const Copy& copy : job.copies) {
    if (copy.tensor == tensor) lastbit::copy_out(images_[tensor], static_cast<uint8_t*>(copy.to));
  }
}

// False where a real is no number.
bool Context::take_input(const Input& input, threads::ThreadPool* pool) {
  const Program& program = model_.program();
  const Image& image = images_[program.input];
  const int32_t zero_point = program.tensors[program.input].zero_point;
  std::atomic<bool> numbers{true};
  const int32_t tasks = pool == nullptr ? 1 : threads::split(image.height, threads_);
  const auto rows = [&](int32_t task, int32_t) {
    const int32_t begin = threads::part_begin(image.height, task, tasks);
    const int32_t end = threads::part_begin(image.height, task + 1, tasks);
    fill_halo(image, zero_point, task, tasks);
    if (input.codes != nullptr) {
      copy_in(static_cast<const uint8_t*>(input.codes), begin, end, image);
    } else if (input.reals == nullptr) {
      map_pixels(input.pixels, input.table, begin, end, image);
    } else if (!quantizer_.quantize(input.reals, begin, end, image)) {
      numbers.store(false, std::memory_order_relaxed);
    }
  };
  if (pool == nullptr) {
    rows(0, 0);
  } else {
    pool->run(tasks, rows);
  }
  return numbers.load(std::memory_order_relaxed);
}

bool Context::run_step(size_t i, const Job& job, threads::ThreadPool* pool, Outcome* outcome) {
  const Step& step = *model_.steps()[i];
  const program::Op& op = model_.program().ops[i];
  const Image& output = images_[op.output];
  const int32_t zero_point = model_.program().tensors[op.output].zero_point;
  const OpImages images{inputs_[i].data(), &output};
  const int32_t tasks = tasks_[i];
  const auto task = [&](int32_t task, int32_t thread) {
    uint8_t* scratch = scratch_.data() + model_.scratch_bytes() * static_cast<size_t>(thread);
    TrapSite& trap = traps_[static_cast<size_t>(task)];
    trap = TrapSite{};
    if (job.is_cancelled()) return;
    // Kernels never write a halo, and memory is reused between tensors, so it is filled every time.
    fill_halo(output, zero_point, task, tasks);
    step.run(images, task, tasks, scratch, &trap);
  };
  if (pool == nullptr) {
    for (int32_t t = 0; t < tasks; ++t) task(t, 0);
  } else {
    pool->run(tasks, task);
  }
  if (job.is_cancelled()) {
    outcome->cancelled = true;
    return false;
  }
  for (int32_t t = 0; t < tasks; ++t) {
    const TrapSite& trap = traps_[static_cast<size_t>(t)];
    if (trap.element < 0) continue;
    outcome->op = static_cast<int32_t>(i);
    outcome->trap = trap;
    return false;
  }
  return true;
}

Outcome Context::run(const Job& job, threads::ThreadPool* pool) {
  const Program& program = model_.program();
  Outcome outcome;
  outcome.cancelled = job.is_cancelled();
  if (outcome.cancelled) return outcome;
  outcome.not_a_number = !take_input(job.input, pool);
  if (outcome.not_a_number) return outcome;
  copy_out(job, program.input);
  for (size_t i = 0; i < program.ops.size(); ++i) {
    const uint64_t start = job.op_ns == nullptr ? 0 : now_ns();
    if (!run_step(i, job, pool, &outcome)) break;
    if (job.op_ns != nullptr) (*job.op_ns)[i] = now_ns() - start;
    copy_out(job, program.ops[i].output);
  }
  return outcome;
}

Engine::Engine(Program program, const EngineOptions& options)
    : model_(std::move(program), options.steps),
      pool_(options.threads),
      context_(model_, options.threads) {}

Outcome Engine::run(const Job& job) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return context_.run(job, &pool_);
}

std::vector<Outcome> Engine::run_many(const std::vector<Job>& jobs) {
  const std::lock_guard<std::mutex> lock(mutex_);
  while (single_.size() < static_cast<size_t>(threads())) {
    single_.push_back(std::make_unique<Context>(model_, 1));
  }
  std::vector<Outcome> outcomes(jobs.size());
  pool_.run(static_cast<int32_t>(jobs.size()), [&](int32_t job, int32_t thread) {
    outcomes[static_cast<size_t>(job)] =
        single_[static_cast<size_t>(thread)]->run(jobs[static_cast<size_t>(job)], nullptr);
  });
  return outcomes;
}

}  // namespace lastbit::exec
