// SPDX-License-Identifier: Apache-2.0
// check [--seed N] [--only PART] [--cpu TIER] [--cases N] [--bench]
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cpu.h"
#include "kernels/check.h"

namespace {

using lastbit::check::Options;

int usage() {
  std::fputs("usage: check [--seed N] [--only PART] [--cpu TIER] [--cases N] [--bench]\n", stderr);
  return 2;
}

bool parse(int count, char** words, Options* options) {
  options->flags = lastbit::cpu::detect();
  for (int i = 1; i < count; ++i) {
    const bool last = i + 1 == count;
    if (std::strcmp(words[i], "--bench") == 0) {
      options->bench = true;
    } else if (last) {
      return false;
    } else if (std::strcmp(words[i], "--seed") == 0) {
      options->seed = std::strtoull(words[++i], nullptr, 10);
    } else if (std::strcmp(words[i], "--only") == 0) {
      options->only = words[++i];
    } else if (std::strcmp(words[i], "--cases") == 0) {
      options->cases = std::atoi(words[++i]);
    } else if (std::strcmp(words[i], "--cpu") == 0) {
      uint32_t flags = 0;
      if (!lastbit::cpu::tier_flags(words[++i], &flags)) return false;
      options->flags &= flags;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int count, char** words) {
  Options options;
  if (!parse(count, words, &options)) return usage();
  std::printf("best tier: %s, seed %llu\n", lastbit::cpu::tier_name(options.flags),
              static_cast<unsigned long long>(options.seed));
  lastbit::check::Check check(options);
  if (options.bench) {
    lastbit::check::bench_conv(check);
    lastbit::check::bench_add(check);
    return 0;
  }
  lastbit::check::check_conv(check);
  lastbit::check::check_add(check);
  lastbit::check::check_pool(check);
  lastbit::check::check_rows(check);
  return check.report() ? 0 : 1;
}
