// SPDX-License-Identifier: Apache-2.0
// Which instruction sets kernels may use. A tier names everything up to and including itself.
#pragma once
#include <cstdint>
#include <string_view>

// Whether the compiler knows AMX: g++ from 11 on, clang from 12 on.
#if (defined(__x86_64__) && defined(__clang__) && __clang_major__ >= 12) || \
    (defined(__x86_64__) && !defined(__clang__) && __GNUC__ >= 11) || defined(_M_X64)
#define LASTBIT_KNOWS_AMX 1
#else
#define LASTBIT_KNOWS_AMX 0
#endif

namespace lastbit::cpu {

// One bit per tier; `ref` is the absence of all.
constexpr uint32_t none = 0;
constexpr uint32_t sse41 = 1u << 0;    // SSE4.1 (and SSSE3)
constexpr uint32_t avx2 = 1u << 1;     // AVX2, FMA not implied
constexpr uint32_t avx512 = 1u << 2;   // F, BW, VL, DQ
constexpr uint32_t vnni = 1u << 3;     // AVX512-VNNI, on top of avx512
constexpr uint32_t avxvnni = 1u << 4;  // VEX-coded VNNI, on top of avx2
constexpr uint32_t neon = 1u << 5;
constexpr uint32_t neondot = 1u << 6;
constexpr uint32_t i8mm = 1u << 7;
constexpr uint32_t amx = 1u << 8;  // AMX-TILE and AMX-INT8, on top of vnni

// Flags of this machine (each tier's prerequisites included), found once. Asks the operating system
// for AMX's registers, which it grants to a process as a whole.
uint32_t detect();

// Flags allowed when `tier` is forced: the tier and what it stands on. False for an unknown name.
// Words: ref sse41 avx2 avx512 vnni amx avxvnni neon neondot i8mm. The result is not yet masked by
// detect(): a tier that the machine lacks is the caller's error to report.
bool tier_flags(std::string_view tier, uint32_t* flags);

// The best tier's word for a set of flags: "ref" for none.
const char* tier_name(uint32_t flags);

}  // namespace lastbit::cpu
