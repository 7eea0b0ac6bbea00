// SPDX-License-Identifier: Apache-2.0
// Threads that share the tasks of one job at a time. Each begins with tasks of its own, the same
// part of every job, since what it wrote of one layer is in its cache for the next; then it takes
// what others have left, from the end. So a thread that the system has put aside costs the task it
// holds and no more: a static split would wait for it at every layer. A worker whose task the
// caller had to wait for rests for several times as long, so that on a busy core what is lost stays
// a small part of the whole.
#pragma once
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace lastbit::threads {

class ThreadPool {
 public:
  // `threads` counts the caller of run(): threads - 1 are started, or fewer where the system gives
  // no more.
  explicit ThreadPool(int32_t threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int32_t threads() const { return threads_; }

  // Calls body(task, thread) for each task in [0, tasks) and returns when all are done. `thread` <
  // threads() names who runs it; the caller is 0. One run() at a time.
  template <class Body>
  void run(int32_t tasks, const Body& body) {
    if (tasks == 1 || workers_.empty() || works_alone()) {
      for (int32_t task = 0; task < tasks; ++task) body(task, 0);
      return;
    }
    for (int32_t first = 0; first < tasks; first += most_shared) {
      share(first, std::min(tasks - first, most_shared), &call<Body>, &body);
    }
  }

 private:
  using Call = void (*)(const void* body, int32_t task, int32_t thread);
  template <class Body>
  static void call(const void* body, int32_t task, int32_t thread) {
    (*static_cast<const Body*>(body))(task, thread);
  }

  using Clock = std::chrono::steady_clock;
  struct alignas(64) Worker {
    // Its tasks that nobody has taken: the job's number in the high half, then first and end. A
    // task is taken by compare-exchange of the whole: it fails if the job has changed meanwhile or
    // is about to, so what was read of a job before a success belongs to that job, which cannot end
    // before its taken tasks have.
    std::atomic<uint64_t> ticket{0};
    std::atomic<bool> holds_task{false};
    std::atomic<Clock::rep> rests_until{0};  // since the clock's epoch; 0: never sent to rest
    bool late = false;                       // the caller's
  };

  bool works_alone() { return alone_ && (alone_ = Clock::now() < alone_until_); }
  void share(int32_t first, int32_t tasks, Call call, const void* body);
  void wait_for_others(int32_t tasks, Clock::time_point begin, int32_t own_tasks);
  void send_to_rest(Clock::duration waited);
  void work(int32_t thread);
  void rest(Worker& worker);
  int32_t take_tasks(uint32_t job, int32_t thread);  // how many
  int32_t take_tasks_of(int32_t owner, uint32_t job, int32_t thread);
  uint32_t wait_for_job(uint32_t last);

  static constexpr int32_t most_shared =
      0xffff;  // tasks of a job, by the width of a ticket's numbers

  int32_t threads_;  // set once, before the first job
  std::atomic<uint32_t> job_{0};
  std::atomic<int32_t> first_{0};
  std::atomic<Call> call_{nullptr};
  std::atomic<const void*> body_{nullptr};
  alignas(64) std::atomic<int32_t> done_{0};

  alignas(64) std::atomic<int32_t> sleeping_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::unique_ptr<Worker[]> states_;  // by thread; of the caller's only the ticket is used
  std::vector<std::thread> workers_;
  // The caller's: until when all workers rest.
  bool alone_ = false;
  Clock::time_point alone_until_;
};

}  // namespace lastbit::threads
