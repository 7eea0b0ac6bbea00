// SPDX-License-Identifier: Apache-2.0
// Operations that move codes, tables, products and softmax against what they are defined to be,
// written here place by place.
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "kernels/lut/lut_ref.h"
#include "kernels/move/move_ref.h"
#include "kernels/mul/mul_ref.h"
#include "kernels/pool/pool_ref.h"
#include "kernels/resize/resize_ref.h"
#include "kernels/rows.h"
#include "kernels/softmax/softmax_ref.h"

namespace lastbit::check {
namespace {

using program::CodeType;
using program::Tensor;

CodeType any_type(Noise& noise) {
  return noise.pick({CodeType::u8, CodeType::s8, CodeType::s16, CodeType::s32});
}

void try_concat(Check& check, Noise& noise) {
  Tensor output = random_tensor(noise, any_type(noise));
  std::vector<TestImage> parts;
  std::vector<int32_t> first{0};  // channel of each part
  const int32_t count = noise.range(1, 4);
  for (int32_t i = 0; i < count; ++i) {
    Tensor part = output;
    part.channels = noise.range(1, 20);
    parts.emplace_back(noise, part);
    first.push_back(first.back() + part.channels);
  }
  output.channels = first.back();
  std::vector<const TestImage*> inputs;
  for (const TestImage& part : parts) inputs.push_back(&part);
  compare_rows(check, "concat_ref", *make_concat_ref(parts.size()), inputs, output, noise,
               [&](int32_t y, int32_t x, int32_t c) {
                 size_t part = 0;
                 while (c >= first[part + 1]) ++part;
                 return parts[part].at(y, x, c - first[part]);
               });
}

void try_pad(Check& check, Noise& noise) {
  const Tensor input = random_tensor(noise, any_type(noise));
  const TestImage in(noise, input);
  program::Pad pad;
  pad.pads = {noise.range(0, 3), noise.range(0, 3), noise.range(0, 3), noise.range(0, 3)};
  Tensor output = input;
  output.height += pad.pads.top + pad.pads.bottom;
  output.width += pad.pads.left + pad.pads.right;
  compare_rows(check, "pad_ref", *make_pad_ref(pad, output), {&in}, output, noise,
               [&](int32_t y, int32_t x, int32_t c) {
                 const int32_t iy = y - pad.pads.top, ix = x - pad.pads.left;
                 const bool inside = iy >= 0 && iy < input.height && ix >= 0 && ix < input.width;
                 return inside ? in.at(iy, ix, c) : output.zero_point;
               });
}

void try_splice(Check& check, Noise& noise) {
  const Tensor tensor = random_tensor(noise, any_type(noise));
  if (tensor.codes() < 2) return;
  const TestImage a(noise, tensor), b(noise, tensor);
  program::Splice splice;
  splice.period = size_t(noise.range(2, int32_t(tensor.codes())));
  splice.from = size_t(noise.range(1, int32_t(splice.period) - 1));
  compare_rows(check, "splice_ref", *make_splice_ref(splice), {&a, &b}, tensor, noise,
               [&](int32_t y, int32_t x, int32_t c) {
                 const size_t i =
                     (size_t(y) * size_t(tensor.width) + size_t(x)) * size_t(tensor.channels) +
                     size_t(c);
                 return (i % splice.period < splice.from ? a : b).at(i);
               });
}

program::ResizeAxis random_axis(Noise& noise, program::ResizeForm form, int32_t bits, int32_t from,
                                int32_t to) {
  program::ResizeAxis axis;
  for (int32_t i = 0; i < to; ++i) {
    axis.first.push_back(noise.range(0, from - 1));
    axis.second.push_back(noise.range(0, from - 1));
    if (form == program::ResizeForm::integer) {
      axis.weight.push_back(noise.range(0, 1 << bits));
    } else {
      // Few binary digits, so that the definition in doubles is exact.
      axis.first_weight.push_back(float(noise.range(-16, 16)) / 16);
      axis.second_weight.push_back(float(noise.range(-16, 16)) / 16);
    }
  }
  return axis;
}

// With the tie rules that doubles spell by themselves: down, up, and to even.
double rounded(double v, Rule rule) {
  if (rule == Rule::floor) return std::floor(v);
  return rule == Rule::half_up ? std::floor(v + 0.5) : std::nearbyint(v);
}

void try_resize(Check& check, Noise& noise) {
  program::Resize resize;
  resize.form = noise.pick({program::ResizeForm::integer, program::ResizeForm::f32_codes,
                            program::ResizeForm::f32_reals, program::ResizeForm::f32_shares});
  const bool integer = resize.form == program::ResizeForm::integer;
  const bool reals = resize.form == program::ResizeForm::f32_reals;
  resize.bits = noise.range(0, 11);
  resize.rule = noise.pick({Rule::floor, Rule::half_up, Rule::half_even});
  resize.scale_in = std::ldexp(1.0f, -noise.range(0, 8));
  resize.scale_out = std::ldexp(1.0f, -noise.range(0, 8));
  Tensor input = random_tensor(noise, noise.pick({CodeType::u8, CodeType::s8, CodeType::s16}));
  if (!integer && input.type == CodeType::s16) input = random_tensor(noise, CodeType::s8);
  Tensor output = input;
  output.height = noise.range(1, 9), output.width = noise.range(1, 9);
  if (reals) output.zero_point = noise.range(program::least_code(output.type), 20);
  resize.rows = random_axis(noise, resize.form, resize.bits, input.height, output.height);
  resize.columns = random_axis(noise, resize.form, resize.bits, input.width, output.width);
  const TestImage in(noise, input);
  const auto weights = [&](const program::ResizeAxis& axis, size_t i) {
    const double unit = std::ldexp(1.0, resize.bits);
    return integer ? std::pair(1 - axis.weight[i] / unit, axis.weight[i] / unit)
                   : std::pair(double(axis.first_weight[i]), double(axis.second_weight[i]));
  };
  const auto kernel = make_resize_ref(resize, input, output);
  compare_rows(
      check, kernel->name(), *kernel, {&in}, output, noise, [&](int32_t y, int32_t x, int32_t c) {
        const auto [top, bottom] = weights(resize.rows, size_t(y));
        const auto [left, right] = weights(resize.columns, size_t(x));
        const auto at = [&](const std::vector<int32_t>& rows, const std::vector<int32_t>& columns) {
          const int32_t code = in.at(rows[size_t(y)], columns[size_t(x)], c);
          return double(reals ? code - input.zero_point : code);
        };
        const program::ResizeAxis &r = resize.rows, &k = resize.columns;
        const double sum = top * (left * at(r.first, k.first) + right * at(r.first, k.second)) +
                           bottom * (left * at(r.second, k.first) + right * at(r.second, k.second));
        if (integer) return int32_t(rounded(sum, resize.rule));
        const double code =
            reals ? std::nearbyint(sum * resize.scale_in / resize.scale_out) + output.zero_point
                  : std::trunc(sum + 0.5);
        return int32_t(std::clamp(code, double(program::least_code(output.type)),
                                  double(program::greatest_code(output.type))));
      });
}

void try_reshape(Check& check, Noise& noise) {
  const Tensor input = random_tensor(noise, any_type(noise));
  Tensor output = input;
  output.height = input.channels, output.width = input.height, output.channels = input.width;
  const TestImage in(noise, input), out(noise, output);
  reshape_ref(in.image(), out.image());
  check.count("reshape_ref");
  for (size_t i = 0; i < input.codes(); ++i) {
    if (out.at(i) == in.at(i)) continue;
    check.fail("reshape_ref", "code %zu: expected %d, got %d", i, in.at(i), out.at(i));
    return;
  }
}

void try_lut(Check& check, Noise& noise) {
  const Tensor input =
      random_tensor(noise, noise.pick({CodeType::u8, CodeType::s8, CodeType::s16}));
  const TestImage in(noise, input);
  Tensor output = input;
  output.type = input.type == CodeType::s16 ? CodeType::s16 : any_type(noise);
  const int32_t lo = program::least_code(input.type), hi = program::greatest_code(input.type);
  program::Lut lut;
  for (int32_t code = lo; code <= hi; ++code) {
    lut.table.push_back(
        noise.range(program::least_code(output.type), program::greatest_code(output.type)));
  }
  const auto kernel = make_lut_ref(lut, input, output);
  compare_rows(
      check, kernel->name(), *kernel, {&in}, output, noise,
      [&](int32_t y, int32_t x, int32_t c) { return lut.table[size_t(in.at(y, x, c) - lo)]; });
}

// By f32 with exact powers of two, so that the definition needs nothing of the requantization's
// own code: real = product / 2^n, ties to even.
void try_mul(Check& check, Noise& noise) {
  const Tensor a = random_tensor(noise, noise.pick({CodeType::u8, CodeType::s8}));
  Tensor b = a, output = a;
  b.type = noise.pick({CodeType::u8, CodeType::s8});
  b.zero_point = noise.range(program::least_code(b.type), program::greatest_code(b.type));
  program::Mul mul;
  mul.repeat_b = noise.chance(50);
  if (mul.repeat_b) b.height = b.width = 1;
  const int32_t n = noise.range(0, 9);
  mul.requant.kind = program::RequantKind::f32;
  mul.requant.scale = {std::ldexp(1.0f, -n)};
  const int32_t lo = program::least_code(output.type), hi = program::greatest_code(output.type);
  mul.clamp = {{noise.range(lo, 0)}, {noise.range(1, hi)}};
  const TestImage in_a(noise, a), in_b(noise, b);
  compare_rows(check, "mul_ref", *make_mul_ref(mul, a, b, output), {&in_a, &in_b}, output, noise,
               [&](int32_t y, int32_t x, int32_t c) {
                 const int32_t by = mul.repeat_b ? in_b.at(0, 0, c) : in_b.at(y, x, c);
                 const int32_t product = (in_a.at(y, x, c) - a.zero_point) * (by - b.zero_point);
                 const double rounded = std::nearbyint(std::ldexp(double(product), -n));
                 return std::clamp(int32_t(rounded) + output.zero_point, mul.clamp.lo[0],
                                   mul.clamp.hi[0]);
               });
}

void try_max_pool(Check& check, Noise& noise) {
  const Tensor input = random_tensor(noise, noise.pick({CodeType::u8, CodeType::s8}));
  const TestImage in(noise, input);
  program::MaxPool pool;
  pool.window.kernel_h = noise.range(1, 3), pool.window.kernel_w = noise.range(1, 3);
  pool.window.stride_h = noise.range(1, 2), pool.window.stride_w = noise.range(1, 2);
  // No more than the kernel reaches, so that every window holds a code.
  pool.window.pads = {pool.window.kernel_h - 1, pool.window.kernel_w - 1, 0, 0};
  Tensor output = input;
  output.height = (input.height - 1) / pool.window.stride_h + 1;
  output.width = (input.width - 1) / pool.window.stride_w + 1;
  pool.clamp = {{program::least_code(input.type)}, {program::greatest_code(input.type) - 3}};
  compare_rows(check, "max_pool_ref", *make_max_pool_ref(pool, input, output), {&in}, output, noise,
               [&](int32_t y, int32_t x, int32_t c) {
                 int32_t most = pool.clamp.lo[0];
                 for (int32_t ky = 0; ky < pool.window.kernel_h; ++ky) {
                   for (int32_t kx = 0; kx < pool.window.kernel_w; ++kx) {
                     const int32_t iy = y * pool.window.stride_h - pool.window.pads.top + ky;
                     const int32_t ix = x * pool.window.stride_w - pool.window.pads.left + kx;
                     if (iy < 0 || iy >= input.height || ix < 0 || ix >= input.width) continue;
                     most = std::max(most, in.at(iy, ix, c));
                   }
                 }
                 return std::min(most, pool.clamp.hi[0]);
               });
}

// A table of powers of two, whose sums and quotients float holds well enough away from ties; the
// few places within rounding of a tie may be either neighbour.
void try_softmax(Check& check, Noise& noise) {
  const Tensor input = random_tensor(noise, noise.pick({CodeType::u8, CodeType::s8}));
  const TestImage in(noise, input);
  Tensor output = input;
  output.zero_point = program::least_code(output.type);
  program::SoftmaxTable table;
  for (int32_t d = 0; d < 256; ++d) table.table.push_back(float(std::exp(-d / 16.0)));
  table.output_scale = 1.0f / 256;
  const auto kernel = make_softmax_ref({table}, output);
  const TestImage result(noise, output);
  const Image* inputs[] = {&in.image()};
  const Guarded scratch(kernel->scratch_bytes(), 0, true);
  for (int32_t y = 0; y < output.height; ++y) {
    kernel->row({inputs, &result.image()}, y, scratch.data());
  }
  check.count("softmax_ref");
  for (int32_t y = 0; y < output.height; ++y) {
    for (int32_t x = 0; x < output.width; ++x) {
      double sum = 0;
      int32_t most = in.at(y, x, 0);
      for (int32_t c = 0; c < input.channels; ++c) most = std::max(most, in.at(y, x, c));
      for (int32_t c = 0; c < input.channels; ++c) sum += std::exp((in.at(y, x, c) - most) / 16.0);
      for (int32_t c = 0; c < input.channels; ++c) {
        const double real = std::exp((in.at(y, x, c) - most) / 16.0) / sum * 256;
        const double code = std::min(real, 255.0) + output.zero_point;
        const int32_t got = result.at(y, x, c);
        if (std::abs(got - code) <= 0.5 + 1e-3) continue;
        check.fail("softmax_ref", "code (%d, %d, %d): expected %f, got %d", y, x, c, code, got);
        return;
      }
    }
  }
}

}  // namespace

void check_rows(Check& check) {
  constexpr void (*families[])(Check&, Noise&) = {try_concat,   try_pad,     try_splice,
                                                  try_resize,   try_reshape, try_lut,
                                                  try_max_pool, try_mul,     try_softmax};
  if (!check.wanted("rows") && !check.options().only.empty()) return;
  for (int32_t n = 0; n < check.options().cases; ++n) {
    for (size_t f = 0; f < std::size(families); ++f) {
      Noise noise(check.options().seed * 1000037 + uint64_t(n) * 16 + f);
      check.describe("row kernels, case %d, family %zu", n, f);
      families[f](check, noise);
    }
  }
}

}  // namespace lastbit::check
