// SPDX-License-Identifier: Apache-2.0
#include "addon/run_queue.h"

#include <utility>

namespace lastbit::addon {
namespace {

void execute(exec::Engine& engine, Run* run) {
  std::vector<exec::Job> jobs;
  for (OwnedJob& owned : run->jobs) {
    jobs.emplace_back();
    jobs.back().input = owned.input.view();
    jobs.back().cancel = run->cancel.get();
    for (OwnedCopy& copy : owned.copies) {
      jobs.back().copies.push_back({copy.tensor, copy.codes.data()});
    }
  }
  if (run->many) {
    run->outcomes = engine.run_many(jobs);
  } else {
    run->outcomes.push_back(engine.run(jobs.front()));
  }
}

}  // namespace

exec::Input OwnedInput::view() const {
  exec::Input input;
  switch (kind) {
    case Kind::codes:
      input.codes = bytes.data();
      break;
    case Kind::reals:
      input.reals = reinterpret_cast<const float*>(bytes.data());
      break;
    case Kind::pixels:
      input.pixels = bytes.data();
      input.table = table.data();
      break;
  }
  return input;
}

RunQueue::RunQueue(std::shared_ptr<exec::Engine> engine, std::function<void(Run*)> done)
    : engine_(std::move(engine)), done_(std::move(done)), thread_([this] { work(); }) {}

RunQueue::~RunQueue() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
    if (running_ != nullptr) running_->cancel->store(true);
  }
  wake_.notify_all();
  thread_.join();
}

void RunQueue::push(std::shared_ptr<Run> run) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    waiting_.push_back(std::move(run));
  }
  wake_.notify_one();
}

// Null once it is to stop.
std::shared_ptr<Run> RunQueue::next() {
  std::unique_lock<std::mutex> lock(mutex_);
  running_ = nullptr;
  wake_.wait(lock, [this] { return stop_ || !waiting_.empty(); });
  if (stop_) return nullptr;
  running_ = waiting_.front();
  waiting_.pop_front();
  return running_;
}

void RunQueue::work() {
  while (const std::shared_ptr<Run> run = next()) {
    try {
      execute(*engine_, run.get());
    } catch (...) {
      run->error = std::current_exception();
    }
    done_(run.get());
  }
}

}  // namespace lastbit::addon
