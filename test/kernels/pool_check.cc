// SPDX-License-Identifier: Apache-2.0
// Random global average pools against average_pool_ref.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>
#include <vector>

#include "kernels/check.h"
#include "kernels/pool/global_pool.h"
#include "kernels/pool/pool_ref.h"
#include "kernels/staged.h"
#include "memory/aligned.h"

namespace lastbit::check {
namespace {

using program::CodeType;

struct Case {
  program::AveragePool pool;
  program::Tensor input, output;
};

Case choose(Noise& noise) {
  Case c;
  c.input.type = noise.pick({CodeType::u8, CodeType::s8});
  const int32_t lo = program::least_code(c.input.type), hi = program::greatest_code(c.input.type);
  c.input.height = noise.range(1, 20);
  c.input.width = noise.pick({1, 7, 16, 17, noise.range(1, 20)});
  c.input.channels = noise.range(1, 130);
  c.input.zero_point = noise.range(lo, hi);
  c.output = c.input;
  c.output.height = c.output.width = 1;
  c.pool.window.kernel_h = c.input.height;
  c.pool.window.kernel_w = c.input.width;
  c.pool.window.stride_h = noise.range(1, 3);
  c.pool.clamp = {{noise.chance(70) ? lo : noise.range(lo, 0)}, {hi}};
  if (noise.chance(50)) {
    c.pool.rule = static_cast<program::DivideRule>(noise.range(0, 2));
    return c;
  }
  c.pool.form = program::AverageForm::requant;
  const auto pixels = static_cast<int32_t>(c.input.pixels());
  if (noise.chance(30)) {
    const int32_t exponent = std::ilogb(static_cast<double>(pixels));
    c.pool.requant = staged(noise, noise.range(0, staged_count - 1), exponent,
                            static_cast<size_t>(c.input.channels));
    return c;
  }
  c.pool.requant.kind = noise.pick({program::RequantKind::fixed, program::RequantKind::f32});
  c.pool.requant.rule = static_cast<Rule>(noise.range(0, 10));
  c.pool.requant.multiplier = {(1 << 30) / pixels};
  c.pool.requant.shift = {30};
  c.pool.requant.scale = {1.0f / static_cast<float>(pixels)};
  return c;
}

Image image_of(const program::Tensor& t, uint8_t* data) {
  return {data, t.height, t.width, t.channels, ptrdiff_t{t.width} * t.channels, {}, t.type};
}

void try_case(Check& check, int32_t number) {
  const char* variant = "global_pool_u8";
  Noise noise(check.options().seed * 1000037 + static_cast<uint64_t>(number));
  const Case c = choose(noise);
  const bool divides = c.pool.form == program::AverageForm::divide;
  check.describe("pool %d: %dx%dx%d type %d zp %d, %s rule %d", number, c.input.height,
                 c.input.width, c.input.channels, int(c.input.type), c.input.zero_point,
                 divides ? "divide" : "requant",
                 divides ? int(c.pool.rule) : int(c.pool.requant.rule));
  if (!GlobalPool::fits(c.pool, c.input, c.output)) {
    check.fail(variant, "does not fit");
    return;
  }
  const GlobalPool pool(c.pool, c.input, c.output);
  const Guarded in(c.input.codes()), out(c.output.codes());
  const int32_t style = noise.range(0, 3);
  for (size_t i = 0; i < in.size(); ++i) {
    in.data()[i] = style == 0 ? uint8_t{255} : static_cast<uint8_t>(noise.bits());
  }
  std::vector<uint8_t> expected(out.size());
  const AlignedBytes ref_scratch = aligned_bytes(pool_scratch_bytes(c.input, c.output));
  const Finish finish(c.pool.requant, c.pool.clamp, c.output.zero_point);
  average_pool_ref(c.pool, finish, c.input, c.output, image_of(c.input, in.data()),
                   image_of(c.output, expected.data()), 0, ref_scratch.get());
  const Guarded scratch(pool.scratch_bytes(), 0, true);
  const int32_t cut = noise.range(0, pool.parts());
  for (const auto& [begin, end] : {std::pair(0, cut), std::pair(cut, pool.parts())}) {
    if (begin == end) continue;
    pool.run(view_of(image_of(c.input, in.data())), view_of(image_of(c.output, out.data())), begin,
             end, scratch.data());
  }
  check.count(variant);
  for (size_t i = 0; i < expected.size(); ++i) {
    if (out.data()[i] == expected[i]) continue;
    check.fail(variant, "channel %zu: expected stored %d, got %d", i, expected[i], out.data()[i]);
    return;
  }
}

}  // namespace

void check_pool(Check& check) {
  if (!check.wanted("global_pool_u8")) return;
  for (int32_t n = 0; n < check.options().cases; ++n) try_case(check, n);
}

}  // namespace lastbit::check
