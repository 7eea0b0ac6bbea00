// SPDX-License-Identifier: Apache-2.0
// The harness of the kernel checks: seeded noise, buffers between unreadable pages, a report that
// survives a crash. One program compares every SIMD variant with the reference, bit for bit, and
// times it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace lastbit::check {

// splitmix64: the same numbers on every machine for one seed.
class Noise {
 public:
  explicit Noise(uint64_t seed) : state_(seed) {}
  uint64_t bits() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // In [lo, hi].
  int32_t range(int32_t lo, int32_t hi) {
    return static_cast<int32_t>(lo +
                                static_cast<int64_t>(bits() % (uint64_t(int64_t{hi} - lo) + 1)));
  }
  bool chance(int32_t percent) { return range(0, 99) < percent; }
  template <class T>
  T pick(std::initializer_list<T> values) {
    return values.begin()[range(0, static_cast<int32_t>(values.size()) - 1)];
  }

 private:
  uint64_t state_;
};

// `bytes` of memory, 64-byte aligned at neither end by promise: the last byte stands `slack` bytes
// before a page that faults, and a faulting page stands before the first.
class Guarded {
 public:
  explicit Guarded(size_t bytes, size_t slack = 0, bool aligned = false);
  ~Guarded();
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  uint8_t* data() const { return data_; }
  size_t size() const { return bytes_; }

 private:
  uint8_t* mapping_;
  size_t mapped_, bytes_;
  uint8_t* data_;
};

struct Options {
  uint64_t seed = 1;
  std::string only;     // part of a variant's name; empty: all
  uint32_t flags = 0;   // ISA bits of cpu.h that may be used
  int32_t cases = 400;  // random cases of a tier and family
  bool bench = false;
};

class Check {
 public:
  explicit Check(const Options& options) : options_(options) {}

  const Options& options() const { return options_; }
  // What is being tried, for the report of a failure or of a crash.
  void describe(const char* format, ...) __attribute__((format(printf, 2, 3)));
  bool wanted(const std::string& variant) const {
    return options_.only.empty() || variant.find(options_.only) != std::string::npos;
  }
  // One more comparison made for a variant.
  void count(const std::string& variant) { ++compared_[variant]; }
  void fail(const std::string& variant, const char* format, ...)
      __attribute__((format(printf, 3, 4)));
  // Prints comparisons and failures by variant; true if nothing failed.
  bool report() const;

 private:
  Options options_;
  std::map<std::string, int64_t> compared_, failed_;
};

// Tiers that this machine and --cpu allow, best last, each with its flags.
std::vector<std::pair<std::string, uint32_t>> tiers(uint32_t flags);

// Seconds of thread time of `run`, over at least 9 runs and `budget` seconds. On a busy machine the
// least is what tells two kernels apart.
struct Seconds {
  double median, least;
};
Seconds time_runs(const std::function<void()>& run, double budget = 0.03);

void check_conv(Check& check);
void bench_conv(Check& check);
void check_add(Check& check);
void check_pool(Check& check);
void check_rows(Check& check);
void bench_add(Check& check);

}  // namespace lastbit::check
