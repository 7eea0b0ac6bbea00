// SPDX-License-Identifier: Apache-2.0
// Sixteen chains of remainders at a time.
#if defined(__x86_64__) || defined(_M_X64)
#include <algorithm>

#include "kernels/isa/begin_avx512.inc"
#include "kernels/isa/intrinsics.h"
#include "kernels/requant/floor_f32.h"
namespace lastbit {

Remainders remainders_avx512(const Steps& steps) {
  const auto [first, turn, m, count] = first_remainder(steps);
  alignas(64) int32_t start[16];
  start[0] = first;
  for (int i = 1; i < 16; ++i) {
    const int32_t r = start[i - 1] - turn;
    start[i] = r + (r < 0 ? m : 0);
  }
  const __m512i turns = _mm512_set1_epi32(static_cast<int32_t>(int64_t{16} * turn % m));
  const __m512i modulus = _mm512_set1_epi32(m);
  __m512i r = _mm512_load_si512(start), least = _mm512_set1_epi32(first), greatest = least;
  for (int32_t left = count; left > 0; left -= 16) {
    const auto exist = static_cast<__mmask16>((1u << std::min(left, 16)) - 1);
    least = _mm512_mask_min_epi32(least, exist, least, r);
    greatest = _mm512_mask_max_epi32(greatest, exist, greatest, r);
    r = _mm512_sub_epi32(r, turns);
    r = _mm512_mask_add_epi32(r, _mm512_movepi32_mask(r), r, modulus);
  }
  return {_mm512_reduce_min_epi32(least), _mm512_reduce_max_epi32(greatest)};
}

}  // namespace lastbit
#include "kernels/isa/end.inc"
#endif
