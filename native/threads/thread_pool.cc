// SPDX-License-Identifier: Apache-2.0
#include "threads/thread_pool.h"

#include <algorithm>
#include <system_error>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace lastbit::threads {
namespace {

// Waits between layers are microseconds long; a worker that has seen nothing for this many pauses
// (some 50 us) sleeps instead of taking a core from others.
constexpr int spins_before_sleep = 2000;
constexpr int spins_before_yield = 500;

// A worker that is later than three of the caller's own tasks and this has lost its core:
// schedulers take one for milliseconds. It then rests for `times_rest` as long as the caller
// waited, so that waiting takes a ninth of the time at most.
constexpr auto patience = std::chrono::microseconds(300);
constexpr int times_rest = 8;
constexpr auto most_rest = std::chrono::milliseconds(200);

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

constexpr uint64_t ticket_of(uint32_t job, int32_t begin, int32_t end) {
  return uint64_t{job} << 32 | static_cast<uint64_t>(begin) << 16 | static_cast<uint64_t>(end);
}
constexpr uint32_t job_of(uint64_t ticket) { return static_cast<uint32_t>(ticket >> 32); }
constexpr int32_t begin_of(uint64_t ticket) { return static_cast<int32_t>(ticket >> 16 & 0xffff); }
constexpr int32_t end_of(uint64_t ticket) { return static_cast<int32_t>(ticket & 0xffff); }

}  // namespace

ThreadPool::ThreadPool(int32_t threads)
    : threads_(threads), states_(new Worker[static_cast<size_t>(threads)]) {
  workers_.reserve(static_cast<size_t>(threads));
  try {
    for (int32_t i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
  } catch (const std::system_error&) {
    // A limit of the process or of its container. Those that started see the smaller number with
    // their first job.
    threads_ = static_cast<int32_t>(workers_.size()) + 1;
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_.store(true);
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::share(int32_t first, int32_t tasks, Call call, const void* body) {
  // Nothing of the last job is left to take, but a worker may still be between reading one of its
  // tickets and its exchange. The fields below are stored after new, empty tickets, so whoever
  // reads one of them too early fails the exchange.
  const uint32_t job = job_.load(std::memory_order_relaxed) + 1;
  const int32_t owners = threads();
  for (int32_t i = 0; i < owners; ++i) {
    states_[i].ticket.store(ticket_of(job, 0, 0), std::memory_order_relaxed);
  }
  first_.store(first, std::memory_order_release);
  call_.store(call, std::memory_order_release);
  body_.store(body, std::memory_order_release);
  done_.store(0, std::memory_order_relaxed);
  for (int32_t i = 0; i < owners; ++i) {
    const int32_t begin = tasks * i / owners, end = tasks * (i + 1) / owners;
    states_[i].ticket.store(ticket_of(job, begin, end), std::memory_order_release);
  }
  job_.store(job);
  if (sleeping_.load() != 0) {
    // The lock orders this notification after a worker's last look at the ticket.
    {
      const std::lock_guard<std::mutex> lock(mutex_);
    }
    wake_.notify_all();
  }
  const Clock::time_point begin = Clock::now();
  const int32_t own = take_tasks(job, 0);
  wait_for_others(tasks, begin, own);
}

void ThreadPool::wait_for_others(int32_t tasks, Clock::time_point begin, int32_t own_tasks) {
  const auto all_done = [this, tasks] { return done_.load(std::memory_order_acquire) == tasks; };
  for (int spins = 0; spins < spins_before_yield; ++spins) {
    if (all_done()) return;
    pause();
  }
  // Without a task of its own the caller cannot tell late from long.
  const Clock::time_point start = Clock::now();
  const Clock::duration limit =
      own_tasks == 0 ? Clock::duration::max() : patience + 3 * (start - begin) / own_tasks;
  bool late = false;
  while (!all_done()) {
    std::this_thread::yield();
    if (late || Clock::now() - start < limit) continue;
    late = true;
    for (int32_t i = 1; i < threads(); ++i) states_[i].late = states_[i].holds_task.load();
  }
  if (late) send_to_rest(Clock::now() - start);
}

void ThreadPool::send_to_rest(Clock::duration waited) {
  const Clock::time_point now = Clock::now();
  const Clock::time_point until = now + std::min<Clock::duration>(times_rest * waited, most_rest);
  alone_ = true;
  alone_until_ = until;
  for (int32_t i = 1; i < threads(); ++i) {
    Worker& worker = states_[i];
    if (worker.late) worker.rests_until.store(until.time_since_epoch().count());
    worker.late = false;
    const Clock::time_point end(Clock::duration(worker.rests_until.load()));
    alone_ = alone_ && end > now;
    alone_until_ = std::min(alone_until_, end);
  }
}

void ThreadPool::rest(Worker& worker) {
  const Clock::time_point end(Clock::duration(worker.rests_until.load()));
  if (end <= Clock::now()) return;
  std::unique_lock<std::mutex> lock(mutex_);
  wake_.wait_until(lock, end, [this] { return stop_.load(); });
}

// The owner takes from the front, others from the end: what they take is the farthest from what the
// owner has in its cache.
int32_t ThreadPool::take_tasks_of(int32_t owner, uint32_t job, int32_t thread) {
  std::atomic<uint64_t>& tickets = states_[owner].ticket;
  int32_t taken = 0;
  uint64_t ticket = tickets.load(std::memory_order_acquire);
  while (job_of(ticket) == job && begin_of(ticket) < end_of(ticket)) {
    const int32_t first = first_.load(std::memory_order_acquire);
    const Call call = call_.load(std::memory_order_acquire);
    const void* body = body_.load(std::memory_order_acquire);
    states_[thread].holds_task.store(true, std::memory_order_relaxed);
    const bool own = owner == thread;
    const int32_t begin = begin_of(ticket) + (own ? 1 : 0), end = end_of(ticket) - (own ? 0 : 1);
    const int32_t task = own ? begin - 1 : end;
    const uint64_t rest = ticket_of(job, begin, end);
    if (!tickets.compare_exchange_weak(ticket, rest, std::memory_order_acq_rel)) continue;
    call(body, first + task, thread);
    done_.fetch_add(1, std::memory_order_release);
    ticket = tickets.load(std::memory_order_acquire);
    ++taken;
  }
  return taken;
}

int32_t ThreadPool::take_tasks(uint32_t job, int32_t thread) {
  int32_t taken = 0;
  for (int32_t i = 0; i < threads(); ++i) {
    taken += take_tasks_of((thread + i) % threads(), job, thread);
  }
  states_[thread].holds_task.store(false, std::memory_order_relaxed);
  return taken;
}

void ThreadPool::work(int32_t thread) {
  uint32_t job = 0;
  for (;;) {
    job = wait_for_job(job);
    if (stop_.load()) return;
    take_tasks(job, thread);
    if (states_[thread].rests_until.load(std::memory_order_relaxed) != 0) rest(states_[thread]);
  }
}

uint32_t ThreadPool::wait_for_job(uint32_t last) {
  for (int spins = 0; spins < spins_before_sleep; ++spins) {
    const uint32_t job = job_.load(std::memory_order_acquire);
    if (job != last || stop_.load(std::memory_order_relaxed)) return job;
    pause();
  }
  std::unique_lock<std::mutex> lock(mutex_);
  sleeping_.fetch_add(1);
  wake_.wait(lock, [this, last] { return job_.load() != last || stop_.load(); });
  sleeping_.fetch_sub(1);
  return job_.load();
}

}  // namespace lastbit::threads
