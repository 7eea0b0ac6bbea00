// SPDX-License-Identifier: Apache-2.0
// Random additions of every form, all 65536 pairs of codes among them, against add_ref.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

#include "cpu.h"
#include "kernels/add/add.h"
#include "kernels/add/add_ref.h"
#include "kernels/check.h"
#include "kernels/staged.h"

namespace lastbit::check {
namespace {

using program::CodeType;
using program::Tensor;

struct Case {
  program::Add add;
  Tensor a, b, output;
};

Tensor choose_tensor(Noise& noise) {
  Tensor t;
  t.type = noise.pick({CodeType::u8, CodeType::s8});
  const int32_t lo = program::least_code(t.type), hi = program::greatest_code(t.type);
  t.zero_point = noise.chance(40) ? noise.pick({lo, hi, 0}) : noise.range(lo, hi);
  return t;
}

int32_t multiplier(Noise& noise, int32_t corner) {
  if (corner == 0) return 1 << 30;  // ties everywhere
  if (corner == 1) return noise.pick({0, 1, INT32_MAX, 1 << 30});
  return (1 << 30) + noise.range(0, (1 << 30) - 1);
}

program::AddRescaled rescaled(Noise& noise) {
  program::AddRescaled f;
  const int32_t corner = noise.range(0, 5);
  f.rule = noise.chance(60) ? Rule::gemmlowp2 : static_cast<Rule>(noise.range(0, 10));
  f.left_shift = noise.chance(70) ? 20 : noise.range(0, 21);
  f.multiplier_a = multiplier(noise, corner);
  f.multiplier_b = multiplier(noise, corner);
  f.multiplier_out = multiplier(noise, corner);
  f.shift_a = noise.range(31, 34);
  f.shift_b = noise.range(31, 34);
  f.shift_out = std::clamp(30 + f.left_shift + noise.range(-3, 2), 1, 62);
  return f;
}

program::AddAligned aligned(Noise& noise) {
  program::AddAligned f;
  f.rule = noise.chance(50) ? Rule::half_up : static_cast<Rule>(noise.range(0, 8));
  f.shift = noise.range(0, 22);
  const int32_t most = 1 << std::min(f.shift + 1, 22);
  f.multiplier_a = noise.chance(20) ? most / 2 : noise.range(0, most);
  f.multiplier_b = noise.chance(20) ? most / 2 : noise.range(0, most);
  return f;
}

program::AddF32 in_f32(Noise& noise) {
  const auto scale = [&noise] {
    return noise.chance(30) ? 0.5f : static_cast<float>(noise.range(1, 3000)) / 1000;
  };
  program::AddF32 f;
  f.order = noise.pick(
      {program::AddOrder::separate, program::AddOrder::direct, program::AddOrder::fused});
  f.scale_a = scale();
  f.scale_b = scale();
  f.scale_out = f.order == program::AddOrder::direct ? scale() : 0;
  return f;
}

program::AddRequant weighted(Noise& noise) {
  program::AddRequant f;
  const int32_t exponent = noise.range(0, 22);
  f.multiplier_a = noise.range(0, 1 << exponent);
  f.multiplier_b = noise.range(0, 1 << exponent);
  if (noise.chance(60)) {
    f.requant = staged(noise, noise.range(0, staged_count - 1), exponent + 1, 1);
  } else if (noise.chance(50)) {
    f.requant.kind = program::RequantKind::shift;
    f.requant.rule = static_cast<Rule>(noise.range(0, 8));
    f.requant.shift = {exponent + noise.range(-1, 2)};
  } else {
    f.requant.kind = program::RequantKind::f32_rule;
    f.requant.float_rule = static_cast<FloatRule>(noise.range(1, 3));
    f.requant.scale = {std::ldexp(noise.chance(50) ? 0.5f : 0.7f, -exponent)};
  }
  return f;
}

Case choose(Noise& noise) {
  Case c;
  c.a = choose_tensor(noise);
  c.b = choose_tensor(noise);
  c.output = choose_tensor(noise);
  switch (noise.range(0, 3)) {
    case 0:
      c.add.form = rescaled(noise);
      break;
    case 1:
      c.add.form = aligned(noise);
      break;
    case 2:
      c.add.form = in_f32(noise);
      break;
    default:
      c.add.form = weighted(noise);
  }
  const int32_t lo = program::least_code(c.output.type), hi = program::greatest_code(c.output.type);
  c.add.lo = noise.chance(60) ? lo : noise.chance(50) ? c.output.zero_point : noise.range(lo, hi);
  c.add.hi = noise.chance(70) ? hi : noise.range(c.add.lo, hi);
  return c;
}

std::vector<int32_t> codes_of(const uint8_t* stored, size_t count, const Tensor& t) {
  std::vector<int32_t> codes(count);
  for (size_t i = 0; i < count; ++i) codes[i] = stored[i] - program::stored_offset(t.type);
  return codes;
}

void compare(Check& check, const FastAdd& fast, const Case& c, const uint8_t* a, const uint8_t* b,
             size_t count) {
  const Guarded y(count, 0);
  std::vector<int32_t> expected(count);
  add_ref(c.add, c.a, c.b, c.output, codes_of(a, count, c.a).data(), codes_of(b, count, c.b).data(),
          count, expected.data());
  fast.run(a, b, count, y.data());
  check.count(fast.name());
  const int32_t offset = program::stored_offset(c.output.type);
  for (size_t i = 0; i < count; ++i) {
    if (y.data()[i] == expected[i] + offset) continue;
    check.fail(fast.name(),
               "code %zu of %zu, stored operands %d and %d: expected stored %d, got %d", i, count,
               a[i], b[i], expected[i] + offset, y.data()[i]);
    return;
  }
}

void try_case(Check& check, const char* tier, uint32_t flags, int32_t number, int32_t* declined) {
  Noise noise(check.options().seed * 1000033 + static_cast<uint64_t>(number));
  const Case c = choose(noise);
  check.describe("--cpu %s  addition %d: form %zu, zero points %d %d %d, clamp [%d, %d]", tier,
                 number, c.add.form.index(), c.a.zero_point, c.b.zero_point, c.output.zero_point,
                 c.add.lo, c.add.hi);
  const auto fast = make_fast_add(c.add, c.a, c.b, c.output, flags);
  if (fast == nullptr) {
    ++*declined;
    return;
  }
  if (!check.wanted(fast->name())) return;
  if (number % 8 == 0) {  // all pairs
    const Guarded a(65536), b(65536);
    for (size_t i = 0; i < 65536; ++i) {
      a.data()[i] = static_cast<uint8_t>(i);
      b.data()[i] = static_cast<uint8_t>(i >> 8);
    }
    compare(check, *fast, c, a.data(), b.data(), 65536);
  }
  const auto count = static_cast<size_t>(noise.range(1, 200));
  const Guarded a(count), b(count);
  for (size_t i = 0; i < count; ++i) {
    a.data()[i] = static_cast<uint8_t>(noise.bits());
    b.data()[i] = static_cast<uint8_t>(noise.bits());
  }
  compare(check, *fast, c, a.data(), b.data(), count);
}

}  // namespace

void check_add(Check& check) {
  for (const auto& [tier, flags] : tiers(check.options().flags)) {
    int32_t declined = 0;
    for (int32_t n = 0; n < check.options().cases; ++n) {
      try_case(check, tier.c_str(), flags, n, &declined);
    }
    std::printf("%s: %d additions, %d left to the reference\n", tier.c_str(), check.options().cases,
                declined);
  }
}

void bench_add(Check& check) {
  constexpr size_t count = 56 * 56 * 24;
  program::AddRescaled form;
  form.rule = Rule::gemmlowp2;
  form.left_shift = 20;
  form.multiplier_a = 1500000000;
  form.shift_a = 32;
  form.multiplier_b = 1700000000;
  form.shift_b = 33;
  form.multiplier_out = 1300000000;
  form.shift_out = 49;
  Tensor t;
  t.type = CodeType::s8;
  t.zero_point = 3;
  const program::Add add{form, -128, 127};
  Noise noise(check.options().seed);
  const Guarded a(count), b(count), y(count);
  for (size_t i = 0; i < count; ++i) {
    a.data()[i] = static_cast<uint8_t>(noise.bits());
    b.data()[i] = static_cast<uint8_t>(noise.bits());
  }
  for (const auto& [tier, flags] : tiers(check.options().flags)) {
    const auto fast = make_fast_add(add, t, t, t, flags);
    if (fast == nullptr || !check.wanted(fast->name())) continue;
    const Seconds s = time_runs([&] { fast->run(a.data(), b.data(), count, y.data()); });
    std::printf("%s %s: %.4f ms least for %zu codes, %.2f codes/ns\n", tier.c_str(), fast->name(),
                s.least * 1e3, count, double(count) / s.least * 1e-9);
  }
}

}  // namespace lastbit::check
