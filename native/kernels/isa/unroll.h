// SPDX-License-Identifier: Apache-2.0
#pragma once

// Before a loop with a constant trip count over an array of vectors: complete unrolling is what
// lets the compiler keep the array in registers.
#if defined(__GNUC__) || defined(__clang__)
#define LASTBIT_UNROLL _Pragma("GCC unroll 32")
#define LASTBIT_INLINE inline __attribute__((always_inline))
#else
#define LASTBIT_UNROLL
#define LASTBIT_INLINE __forceinline
#endif
