// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.h"

#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cpu.h"

namespace lastbit::check {
namespace {

constexpr size_t page = 4096;
char trying[1024] = "nothing yet";

// Only what a signal handler may do: writes what was tried, then dies of the same signal.
void on_crash(int signal) {
  const char head[] = "\ncrashed while trying: ";
  ssize_t ignored = write(2, head, sizeof head - 1);
  ignored = write(2, trying, strlen(trying));
  ignored = write(2, "\n", 1);
  static_cast<void>(ignored);
  ::signal(signal, SIG_DFL);
  raise(signal);
}

[[maybe_unused]] const bool handlers = [] {
  for (int s : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) ::signal(s, on_crash);
  return true;
}();

// Time this thread computed: what other processes do meanwhile does not count.
double thread_seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

}  // namespace

Guarded::Guarded(size_t bytes, size_t slack, bool aligned) : bytes_(bytes) {
  const size_t inner = (bytes + slack + 63 + page) / page * page;
  mapped_ = inner + 2 * page;
  void* p = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) {
    std::perror("mmap");
    std::exit(2);
  }
  mapping_ = static_cast<uint8_t*>(p);
  mprotect(mapping_, page, PROT_NONE);
  mprotect(mapping_ + page + inner, page, PROT_NONE);
  const size_t tail = aligned ? (bytes + slack + 63) / 64 * 64 : bytes + slack;
  data_ = mapping_ + page + inner - tail;
}

Guarded::~Guarded() { munmap(mapping_, mapped_); }

void Check::describe(const char* format, ...) {
  const int head = std::snprintf(trying, sizeof trying, "--seed %llu  ",
                                 static_cast<unsigned long long>(options_.seed));
  va_list args;
  va_start(args, format);
  std::vsnprintf(trying + head, sizeof trying - static_cast<size_t>(head), format, args);
  va_end(args);
}

void Check::fail(const std::string& variant, const char* format, ...) {
  if (++failed_[variant] > 5) return;
  std::printf("FAILED %s: ", variant.c_str());
  va_list args;
  va_start(args, format);
  std::vprintf(format, args);
  va_end(args);
  std::printf("\n  %s\n", trying);
}

bool Check::report() const {
  int64_t failures = 0;
  for (const auto& [variant, count] : compared_) {
    const auto failed = failed_.find(variant);
    const int64_t bad = failed == failed_.end() ? 0 : failed->second;
    failures += bad;
    std::printf("%-44s %6lld compared, %lld failed\n", variant.c_str(),
                static_cast<long long>(count), static_cast<long long>(bad));
  }
  for (const auto& [variant, bad] : failed_) {
    if (compared_.count(variant) != 0) continue;
    failures += bad;
    std::printf("%-44s %lld failed\n", variant.c_str(), static_cast<long long>(bad));
  }
  std::printf("%s (seed %llu)\n", failures == 0 ? "all equal" : "DIFFERENCES",
              static_cast<unsigned long long>(options_.seed));
  return failures == 0;
}

std::vector<std::pair<std::string, uint32_t>> tiers(uint32_t flags) {
  std::vector<std::pair<std::string, uint32_t>> result;
  for (const char* name :
       {"sse41", "avx2", "avx512", "avxvnni", "vnni", "amx", "neon", "neondot", "i8mm"}) {
    uint32_t needed = 0;
    if (cpu::tier_flags(name, &needed) && (needed & ~flags) == 0) result.emplace_back(name, needed);
  }
  return result;
}

Seconds time_runs(const std::function<void()>& run, double budget) {
  run();
  std::vector<double> seconds;
  double spent = 0;
  while (seconds.size() < 9 || spent < budget) {
    const double start = thread_seconds();
    run();
    seconds.push_back(thread_seconds() - start);
    spent += seconds.back();
  }
  std::sort(seconds.begin(), seconds.end());
  return {seconds[seconds.size() / 2], seconds[0]};
}

}  // namespace lastbit::check
