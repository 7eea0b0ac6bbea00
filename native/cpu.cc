// SPDX-License-Identifier: Apache-2.0
#include "cpu.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace lastbit::cpu {
namespace {

struct Tier {
  const char* name;
  uint32_t flags;
};

// Weakest first; the last one whose flags are all present names a machine.
constexpr Tier tiers[] = {
    {"ref", none},
    {"sse41", sse41},
    {"avx2", sse41 | avx2},
    {"avx512", sse41 | avx2 | avx512},
    {"avxvnni", sse41 | avx2 | avxvnni},
    {"vnni", sse41 | avx2 | avx512 | vnni},
    {"amx", sse41 | avx2 | avx512 | vnni | amx},
    {"neon", neon},
    {"neondot", neon | neondot},
    {"i8mm", neon | neondot | i8mm},
};

#if defined(__x86_64__) || defined(__i386__)

// Register state that the operating system saves: a CPU may have AVX that it does not enable.
uint64_t enabled_state() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
}

bool has(uint32_t word, int bit) { return ((word >> bit) & 1) != 0; }

// Whether the system grants this process the registers of AMX, for good and for all of its threads.
// Linux does when asked (Documentation/arch/x86/xstate.rst), unless a thread has a small stack for
// signals; other systems are not asked.
bool may_use_tiles(uint64_t state) {
  constexpr uint64_t tiles = (1u << 17) | (1u << 18);  // their configuration, their data
  if ((state & tiles) != tiles) return false;
#if defined(__linux__) && LASTBIT_KNOWS_AMX
  constexpr long request_permission = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return false;
#endif
}

uint32_t find() {
  uint32_t a, b, c, d;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return none;
  uint32_t flags = none;
  if (has(c, 9) && has(c, 19)) flags |= sse41;  // SSSE3, SSE4.1
  const bool os_saves = has(c, 27);
  const uint64_t state = os_saves ? enabled_state() : 0;
  const bool ymm = (state & 0x6) == 0x6;
  const bool zmm = (state & 0xe6) == 0xe6;
  if (!has(c, 28) || !ymm || __get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return flags;
  if (!has(b, 5) || (flags & sse41) == 0) return flags;
  flags |= avx2;
  // F, DQ, BW, VL
  if (zmm && has(b, 16) && has(b, 17) && has(b, 30) && has(b, 31)) {
    flags |= avx512;
    if (has(c, 11)) flags |= vnni;
    if (has(c, 11) && has(d, 24) && has(d, 25) && may_use_tiles(state)) flags |= amx;
  }
  if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && has(a, 4)) flags |= avxvnni;
  return flags;
}

#elif defined(__aarch64__) && defined(__linux__)

uint32_t find() {
  uint32_t flags = neon;
  if ((getauxval(AT_HWCAP) & (1ul << 20)) != 0) flags |= neondot;  // HWCAP_ASIMDDP
  if ((flags & neondot) != 0 && (getauxval(AT_HWCAP2) & (1ul << 13)) != 0) flags |= i8mm;
  return flags;
}

#elif defined(__aarch64__) && defined(__APPLE__)

bool has(const char* name) {
  int value = 0;
  size_t size = sizeof value;
  return sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value != 0;
}

uint32_t find() {
  uint32_t flags = neon;
  if (has("hw.optional.arm.FEAT_DotProd")) flags |= neondot;
  if ((flags & neondot) != 0 && has("hw.optional.arm.FEAT_I8MM")) flags |= i8mm;
  return flags;
}

#else

uint32_t find() { return none; }

#endif

}  // namespace

uint32_t detect() {
  static const uint32_t flags = find();
  return flags;
}

bool tier_flags(std::string_view tier, uint32_t* flags) {
  for (const Tier& t : tiers) {
    if (tier != t.name) continue;
    *flags = t.flags;
    return true;
  }
  return false;
}

const char* tier_name(uint32_t flags) {
  const char* name = tiers[0].name;
  for (const Tier& t : tiers) {
    if ((flags & t.flags) == t.flags) name = t.name;
  }
  return name;
}

}  // namespace lastbit::cpu
