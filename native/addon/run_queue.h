// SPDX-License-Identifier: Apache-2.0
// Runs of one engine, in turn, on a thread of their own: the caller's event loop stays free, and so
// do the few threads of libuv, which files and images of the same process need.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "exec/engine.h"

namespace lastbit::addon {

// The bytes of an exec::Input.
struct OwnedInput {
  enum class Kind { codes, reals, pixels };
  Kind kind = Kind::codes;
  std::vector<uint8_t> bytes;
  std::vector<int32_t> table;  // of pixels

  exec::Input view() const;
};

struct OwnedCopy {
  uint32_t tensor;
  std::vector<uint8_t> codes;
};

// One image, with memory for all that is to be copied out.
struct OwnedJob {
  OwnedInput input;
  std::vector<OwnedCopy> copies;
};

// What is asked of the engine at once. Knows nothing of JavaScript, so any thread may let go of it.
struct Run {
  std::vector<OwnedJob> jobs;
  bool many = false;  // one thread for each image
  std::shared_ptr<std::atomic<bool>> cancel;
  // Set when it is done:
  std::vector<exec::Outcome> outcomes;
  std::exception_ptr error;
};

class RunQueue {
 public:
  // `done` is called on the queue's thread after each run.
  RunQueue(std::shared_ptr<exec::Engine> engine, std::function<void(Run*)> done);
  // Cancels what is left and waits for the task at hand.
  ~RunQueue();
  RunQueue(const RunQueue&) = delete;
  RunQueue& operator=(const RunQueue&) = delete;

  void push(std::shared_ptr<Run> run);

 private:
  void work();
  std::shared_ptr<Run> next();

  std::shared_ptr<exec::Engine> engine_;
  std::function<void(Run*)> done_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Run>> waiting_;
  std::shared_ptr<Run> running_;
  bool stop_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace lastbit::addon
