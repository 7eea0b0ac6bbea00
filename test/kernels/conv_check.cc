// SPDX-License-Identifier: Apache-2.0
// Random convolutions: every SIMD tier against kernels/conv/conv_ref.cc. Buffers end at an
// unreadable page (64 bytes are readable past an activation, as view.h promises), halos of inputs
// hold the zero point, those of outputs a canary; the work is cut into random slices.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "cpu.h"
#include "kernels/check.h"
#include "kernels/conv/conv_ref.h"
#include "kernels/conv/fast_conv.h"
#include "kernels/image.h"
#include "kernels/staged.h"
#include "memory/aligned.h"
#include "program/ranges.h"

namespace lastbit::check {
namespace {

using program::CodeType;
using program::Conv;
using program::RequantKind;
using program::Tensor;
using program::WeightType;

enum class Family { pointwise, dense, depthwise };

struct Case {
  Conv conv;
  Tensor input, output;
  std::vector<uint8_t> weights;
  const char* fill = "";
  const char* scaling = "";
};

// A tensor's image with its halo, the last byte before an unreadable page.
struct Buffer {
  Image image;
  std::unique_ptr<Guarded> memory;

  Buffer(const Tensor& tensor, const Pads& halo, uint8_t fill, size_t slack = 64) {
    const size_t columns = size_t(tensor.width + halo.left + halo.right);
    const size_t row = columns * size_t(tensor.channels);
    const size_t bytes = row * size_t(tensor.height + halo.top + halo.bottom);
    memory = std::make_unique<Guarded>(bytes, slack);
    std::memset(memory->data(), fill, bytes);
    image = {memory->data() + size_t(halo.top) * row + size_t(halo.left * tensor.channels),
             tensor.height,
             tensor.width,
             tensor.channels,
             ptrdiff_t(row),
             halo,
             tensor.type};
  }
};

int32_t outputs(int32_t in, int32_t before, int32_t after, int32_t kernel, int32_t dilation,
                int32_t stride) {
  const int32_t reach = (kernel - 1) * dilation + 1;
  return in + before + after < reach ? 0 : (in + before + after - reach) / stride + 1;
}

int32_t size_near(Noise& noise, int32_t width) {  // 1 .. 2 * width + 1, ends and steps favoured
  return std::max(1, noise.chance(40)
                         ? noise.pick({1, width - 1, width, width + 1, 2 * width, 2 * width + 1})
                         : noise.range(1, 2 * width + 1));
}

void choose_shape(Noise& noise, Family family, Case* c) {
  program::Window& w = c->conv.window;
  if (family != Family::pointwise) {
    const bool three = noise.chance(70);
    w.kernel_h = three ? 3 : noise.range(1, 7);
    w.kernel_w = three ? 3 : noise.range(1, 7);
    if (noise.chance(10)) w.dilation_h = noise.range(1, 3);
    if (noise.chance(10)) w.dilation_w = noise.range(1, 3);
    const int32_t reach_h = (w.kernel_h - 1) * w.dilation_h;
    const int32_t reach_w = (w.kernel_w - 1) * w.dilation_w;
    w.pads = {noise.range(0, reach_h), noise.range(0, reach_w), noise.range(0, reach_h),
              noise.range(0, reach_w)};
  }
  w.stride_h = noise.pick({1, 1, 2, 2, 3});
  w.stride_w = noise.chance(80) ? w.stride_h : noise.range(1, 3);
  do {
    c->input.height = size_near(noise, 8);
    c->input.width = noise.pick({1, 7, 14, 28, 16, noise.range(1, 30)});
    c->output.height =
        outputs(c->input.height, w.pads.top, w.pads.bottom, w.kernel_h, w.dilation_h, w.stride_h);
    c->output.width =
        outputs(c->input.width, w.pads.left, w.pads.right, w.kernel_w, w.dilation_w, w.stride_w);
  } while (c->output.height < 1 || c->output.width < 1);
  const int32_t channels =
      noise.chance(70) ? size_near(noise, noise.pick({8, 16, 32, 64})) : noise.range(1, 200);
  c->input.channels = family == Family::dense ? std::min(channels, 40) : channels;
  if (family == Family::dense && noise.chance(30)) c->input.channels = 3;
  c->output.channels =
      family == Family::depthwise ? channels : size_near(noise, noise.pick({8, 16, 32, 64}));
  c->conv.groups = family == Family::depthwise ? channels : 1;
  c->conv.input_channels = c->input.channels;
  c->conv.output_channels = c->output.channels;
}

void choose_types(Noise& noise, Case* c) {
  const auto code = [&noise](CodeType type) {
    const int32_t lo = program::least_code(type), hi = program::greatest_code(type);
    return noise.chance(50) ? noise.pick({lo, hi, 0}) : noise.range(lo, hi);
  };
  c->input.type = noise.pick({CodeType::u8, CodeType::s8});
  c->output.type = noise.pick({CodeType::u8, CodeType::s8});
  c->input.zero_point = code(c->input.type);
  c->output.zero_point = code(c->output.type);
}

// Bell-shaped around 0 within [-reach, reach], as the weights of trained nets are.
int32_t bell(Noise& noise, int32_t reach) {
  int32_t sum = 0;
  for (int i = 0; i < 6; ++i) sum += noise.range(-reach, reach);
  return sum / 6;
}

// Weights of all shapes that a proof may hang on: noise, all extremes, small, bell-shaped of three
// widths with and without extremes among them (one to three in all, as in legacy nets), legacy u8.
void choose_weights(Noise& noise, Case* c) {
  Conv& conv = c->conv;
  const bool legacy = noise.chance(40);
  conv.weight_type = legacy ? WeightType::u8 : WeightType::s8;
  const int32_t lo = legacy ? 0 : -128, hi = legacy ? 255 : 127;
  conv.weight_count = size_t(conv.output_channels) * conv.reduction();
  c->weights.resize(conv.weight_count);
  const int32_t style = noise.range(0, 11);
  const bool few_extremes = style >= 8;  // beyond s8 where the zero point is not 128
  const int32_t middle = legacy ? 128 : 0, width = few_extremes ? 40 : noise.pick({40, 90, 250});
  for (uint8_t& w : c->weights) {
    const int32_t value =
        style >= 5   ? std::clamp(middle + (style == 7 && noise.chance(2) ? noise.pick({-255, 255})
                                                                          : bell(noise, width)),
                                  lo, hi)
        : style == 0 ? lo
        : style == 1 ? hi
        : style == 2 ? noise.pick({lo, hi})
                     : noise.range(lo + (style == 3 ? 0 : 100), hi - (style == 3 ? 0 : 100));
    w = static_cast<uint8_t>(value);
  }
  const int32_t near = noise.range(100, 160);
  const int32_t zero_point = legacy && few_extremes ? near
                             : legacy               ? noise.pick({0, 128, 255, near})
                             : noise.chance(80)     ? 0
                                                    : noise.range(-20, 20);
  for (int32_t extremes = few_extremes ? noise.range(1, 3) : 0; extremes > 0; --extremes) {
    const int32_t at = noise.range(0, static_cast<int32_t>(conv.weight_count) - 1);
    const int32_t far = zero_point < middle ? hi : lo;
    c->weights[static_cast<size_t>(at)] = static_cast<uint8_t>(noise.chance(80) ? far : lo);
  }
  conv.weight_zero_points.assign(size_t(conv.output_channels), zero_point);
  if (noise.chance(5)) {
    for (int32_t& z : conv.weight_zero_points) z = std::clamp(z + noise.range(-3, 3), lo, hi);
  }
  conv.weights = c->weights.data();
  conv.bias.resize(size_t(conv.output_channels));
  const int32_t reach = noise.pick({0, 1000, 100000});
  for (int32_t& b : conv.bias) b = noise.range(-reach, reach);
}

// Scales the accumulators' spread to some tens of codes, so that results are neither constant nor
// all clamped; some cases instead aim at corners of the rules.
void choose_requant(Noise& noise, Case* c) {
  Conv& conv = c->conv;
  const size_t channels = size_t(conv.output_channels);
  const double spread = 3000.0 * std::sqrt(double(conv.reduction())) + 1000;
  program::Requant& r = conv.requant;
  r.kind = noise.pick({RequantKind::fixed, RequantKind::fixed, RequantKind::fixed, RequantKind::f32,
                       RequantKind::shift, RequantKind::f32_rule, RequantKind::f64,
                       RequantKind::stages});
  const size_t entries = noise.chance(30) ? 1 : channels;
  const int32_t exponent = int32_t(std::lround(std::log2(spread / 40)));
  c->scaling = "spread";
  if (r.kind == RequantKind::stages) {
    const int32_t kind = noise.range(0, staged_count - 1);
    r = staged(noise, kind, exponent, channels);
    c->scaling = "staged";
    return;
  }
  if (r.kind == RequantKind::fixed) {
    r.rule = noise.chance(50) ? noise.pick({Rule::gemmlowp2, Rule::gemmlowp2, Rule::half_up})
                              : static_cast<Rule>(noise.range(0, 10));
    const int32_t corner = noise.range(0, 9);
    for (size_t i = 0; i < entries; ++i) {
      int32_t multiplier = (1 << 30) + noise.range(0, (1 << 30) - 1);
      int32_t shift = 31 + exponent + noise.range(-2, 2);
      if (corner == 0) {
        c->scaling = "dyadic";  // ties everywhere
        multiplier = 1 << 30;
        shift = 30 + exponent;
      } else if (corner == 1) {
        c->scaling = "extreme multipliers";
        multiplier = noise.pick({0, 1, INT32_MAX, 1 << 30});
      } else if (corner == 2) {
        c->scaling = "shifts near 31";
        shift = noise.range(29, 33);
      } else if (corner == 3 && i % 3 == 0) {
        c->scaling = "any shift";
        shift = noise.range(1, 62);
      } else if (corner == 4) {
        c->scaling = "small multipliers";
        multiplier = noise.range(0, 1 << 16);
        shift = std::max(1, 15 + exponent + noise.range(-2, 2));
      }
      r.multiplier.push_back(multiplier);
      r.shift.push_back(std::clamp(shift, 1, 62));
    }
  } else if (r.kind != RequantKind::shift) {
    if (r.kind == RequantKind::f32_rule) r.float_rule = static_cast<FloatRule>(noise.range(1, 3));
    const int32_t corner = noise.range(0, 5);
    for (size_t i = 0; i < entries; ++i) {
      const double jitter = corner == 0 ? 1 : 0.5 + noise.range(0, 1000) / 1000.0;
      if (corner == 0) c->scaling = "dyadic";
      if (corner == 1) c->scaling = "large scales";
      const double size = corner == 1 ? 1e6 : 1;
      const double scale = std::ldexp(jitter * size, -exponent);
      if (r.kind == RequantKind::f64) {
        // The greatest float64 below 1/2 is no tie, but 1/2 more than it rounds to 1.
        r.scale64.push_back(corner == 2 ? std::nextafter(0.5, 0) : scale);
      } else {
        r.scale.push_back(static_cast<float>(scale));
      }
    }
  } else {
    r.rule = static_cast<Rule>(noise.range(0, 8));
    if (noise.chance(50)) r.rule = Rule::half_up;
    const int32_t corner = noise.range(0, 4);
    for (size_t i = 0; i < entries; ++i) {
      int32_t shift = exponent + noise.range(-2, 2);
      if (corner == 0) {
        c->scaling = "any shift";
        shift = noise.range(-31, 62);
      }
      if (corner == 1) {
        c->scaling = "shifts near 0";
        shift = noise.range(-1, 2);
      }
      r.shift.push_back(std::clamp(shift, -31, 62));
    }
  }
}

void choose_clamp(Noise& noise, Case* c) {
  const int32_t lo = program::least_code(c->output.type),
                hi = program::greatest_code(c->output.type);
  const int32_t style = noise.range(0, 3);
  const size_t entries = style == 3 ? size_t(c->conv.output_channels) : 1;
  for (size_t i = 0; i < entries; ++i) {
    int32_t least = lo, greatest = hi;
    if (style == 1) least = c->output.zero_point;  // relu
    if (style >= 2) {
      least = noise.range(lo, hi);
      greatest = noise.range(least, hi);
    }
    if (style == 3 && noise.chance(50)) least = std::min(std::max(least, c->output.zero_point), hi);
    c->conv.clamp.lo.push_back(least);
    c->conv.clamp.hi.push_back(std::max(least, greatest));
  }
}

void choose_accumulator(Noise& noise, Case* c) {
  program::Accumulator& a = c->conv.accumulator;
  if (c->input.type == CodeType::u8 && c->conv.weight_type == WeightType::s8 && noise.chance(50)) {
    a.products = program::Products::sat_pairs16;
    c->conv.weight_zero_points.assign(c->conv.weight_zero_points.size(), 0);
    if (noise.chance(80)) return;
    a.bits = noise.pick({18, 24, 28, 32, 40});
    a.overflow = noise.pick({program::Overflow::saturate, program::Overflow::wrap});
    return;
  }
  if (noise.chance(70)) return;  // 32 bits, wrapping
  a.bits = noise.pick({24, 28, 32, 32, 40});
  a.overflow = static_cast<program::Overflow>(noise.range(0, 2));
  a.when = noise.chance(50) ? program::When::each : program::When::end;
  a.bias_first = noise.chance(50);
}

void fill_input(Noise& noise, const Case& c, const Image& image) {
  const int32_t style = noise.range(0, 5);
  const auto z = static_cast<uint8_t>(c.input.zero_point + program::stored_offset(c.input.type));
  for (int32_t y = 0; y < image.height; ++y) {
    uint8_t* row = image.row(y);
    for (size_t i = 0; i < image.row_codes(); ++i) {
      row[i] = style == 0   ? uint8_t{0}
               : style == 1 ? uint8_t{255}
               : style == 2 ? noise.pick<uint8_t>({0, 255, z})
                            : static_cast<uint8_t>(noise.bits());
    }
  }
}

// All rows and panels, cut at random places.
void run_in_slices(Noise& noise, const FastConv& conv, const Image& in, const Image& out) {
  Guarded scratch(conv.scratch_bytes(), 0, true);
  std::memset(scratch.data(), 0xA5, scratch.size());
  for (int32_t row = 0; row < out.height;) {
    const int32_t row_end = noise.chance(50) ? out.height : noise.range(row + 1, out.height);
    for (int32_t panel = 0; panel < conv.panel_count();) {
      const int32_t panel_end =
          noise.chance(50) ? conv.panel_count() : noise.range(panel + 1, conv.panel_count());
      conv.run(view_of(in), view_of(out), {row, row_end, panel, panel_end}, scratch.data());
      panel = panel_end;
    }
    row = row_end;
  }
}

void compare(Check& check, const std::string& variant, const Case& c, const Image& expected,
             const Image& got) {
  for (int32_t y = 0; y < expected.height; ++y) {
    for (size_t i = 0; i < expected.row_codes(); ++i) {
      if (expected.row(y)[i] == got.row(y)[i]) continue;
      const size_t channels = size_t(c.output.channels);
      check.fail(variant, "row %d, column %zu, channel %zu: expected stored %d, got %d", y,
                 i / channels, i % channels, expected.row(y)[i], got.row(y)[i]);
      return;
    }
  }
}

// The halo of the output, and all that is not the image, keeps its canary.
void check_canary(Check& check, const std::string& variant, const Buffer& out, uint8_t canary) {
  const Image& image = out.image;
  const uint8_t* p = out.memory->data();
  for (size_t i = 0; i < out.memory->size(); ++i) {
    const ptrdiff_t at = p + i - image.data;
    const ptrdiff_t y = at < 0 ? -1 : at / image.row_bytes;
    const ptrdiff_t in_row = at - y * image.row_bytes;
    const bool inside = at >= 0 && y < image.height && in_row < ptrdiff_t(image.row_codes());
    if (inside || p[i] == canary) continue;
    check.fail(variant, "halo overwritten at row %td, byte %td", y, in_row);
    return;
  }
}

void describe(Check& check, const char* tier, int32_t number, const Case& c) {
  const program::Window& w = c.conv.window;
  const program::Accumulator& a = c.conv.accumulator;
  check.describe(
      "--cpu %s  case %d: input %dx%dx%d type %d zp %d, output %dx%dx%d type %d zp %d, kernel %dx%d"
      " stride %dx%d dilation %dx%d pads %d,%d,%d,%d groups %d, weights type %d zp %d, requant %d"
      " rule %d (%s) entries %zu, clamp entries %zu first [%d, %d], accumulator %d bits overflow %d"
      " when %d products %d",
      tier, number, c.input.height, c.input.width, c.input.channels, int(c.input.type),
      c.input.zero_point, c.output.height, c.output.width, c.output.channels, int(c.output.type),
      c.output.zero_point, w.kernel_h, w.kernel_w, w.stride_h, w.stride_w, w.dilation_h,
      w.dilation_w, w.pads.top, w.pads.left, w.pads.bottom, w.pads.right, c.conv.groups,
      int(c.conv.weight_type), c.conv.weight_zero_points[0], int(c.conv.requant.kind),
      int(c.conv.requant.rule), c.scaling,
      std::max({c.conv.requant.shift.size(), c.conv.requant.scale.size(),
                c.conv.requant.scale64.size()}),
      c.conv.clamp.lo.size(), c.conv.clamp.lo[0], c.conv.clamp.hi[0], a.bits, int(a.overflow),
      int(a.when), int(a.products));
}

bool is_constant(const Image& image) {
  for (int32_t y = 0; y < image.height; ++y) {
    for (size_t i = 0; i < image.row_codes(); ++i) {
      if (image.row(y)[i] != image.row(0)[0]) return false;
    }
  }
  return true;
}

struct Tally {
  int32_t tried = 0, constant = 0, declined = 0;
};

void try_case(Check& check, const char* tier, uint32_t flags, Family family, int32_t number,
              Tally* tally) {
  // Each case has its own stream, so that --cpu does not change what case n is.
  Noise noise(check.options().seed * 1000003 + uint64_t(number) * 16 + uint64_t(family));
  Case c;
  choose_shape(noise, family, &c);
  choose_types(noise, &c);
  choose_weights(noise, &c);
  choose_requant(noise, &c);
  choose_clamp(noise, &c);
  choose_accumulator(noise, &c);
  describe(check, tier, number, c);
  const auto fast = make_fast_conv(c.conv, c.input, c.output, flags);
  ++tally->tried;
  if (fast == nullptr) {
    ++tally->declined;
    return;
  }
  const std::string variant = fast->name();
  if (!check.wanted(variant)) return;
  const auto reference = make_conv_ref(c.conv, c.input, c.output);
  const auto z = static_cast<uint8_t>(c.input.zero_point + program::stored_offset(c.input.type));
  Pads halo = fast->input_halo();
  if (noise.chance(30)) halo = {halo.top + 1, halo.left + 1, halo.bottom + 1, halo.right + 2};
  const Buffer in(c.input, halo, z);
  fill_input(noise, c, in.image);
  constexpr uint8_t canary = 0xC5;
  const Pads out_halo = noise.chance(50) ? Pads{} : Pads{1, 1, 1, 1};
  const Buffer expected(c.output, {}, 0), got(c.output, out_halo, canary, 0);
  const AlignedBytes scratch = aligned_bytes(reference->scratch_bytes());
  TrapSite trap;
  reference->run(in.image, expected.image, 0, c.output.height, scratch.get(), &trap);
  run_in_slices(noise, *fast, in.image, got.image);
  check.count(variant);
  compare(check, variant, c, expected.image, got.image);
  check_canary(check, variant, got, canary);
  if (is_constant(expected.image)) ++tally->constant;
}

// ---- timing

struct Layer {
  Family family;
  int32_t size, in, out, kernel, stride;
  bool linear = false;  // no fused activation: both signs
};

std::vector<Layer> mobilenet_v1() {
  std::vector<Layer> layers = {{Family::dense, 224, 3, 32, 3, 2}};
  const int32_t blocks[13][2] = {{64, 1},  {128, 2},  {128, 1}, {256, 2}, {256, 1},
                                 {512, 2}, {512, 1},  {512, 1}, {512, 1}, {512, 1},
                                 {512, 1}, {1024, 2}, {1024, 1}};
  int32_t size = 112, channels = 32;
  for (const auto& [out, stride] : blocks) {
    layers.push_back({Family::depthwise, size, channels, channels, 3, stride});
    size /= stride;
    layers.push_back({Family::pointwise, size, channels, out, 1, 1});
    channels = out;
  }
  layers.push_back({Family::pointwise, 1, 1024, 1001, 1, 1});
  return layers;
}

// Expansion, stride and output channels as published; 1000-way classifier as a 1x1 convolution.
std::vector<Layer> mobilenet_v2() {
  std::vector<Layer> layers = {{Family::dense, 224, 3, 32, 3, 2}};
  const int32_t stages[7][4] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                                {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
  int32_t size = 112, channels = 32;
  for (const auto& [expansion, out, count, first_stride] : stages) {
    for (int32_t i = 0; i < count; ++i) {
      const int32_t stride = i == 0 ? first_stride : 1, wide = channels * expansion;
      if (expansion > 1) layers.push_back({Family::pointwise, size, channels, wide, 1, 1});
      layers.push_back({Family::depthwise, size, wide, wide, 3, stride});
      size /= stride;
      layers.push_back({Family::pointwise, size, wide, out, 1, 1, true});
      channels = out;
    }
  }
  layers.push_back({Family::pointwise, size, channels, 1280, 1, 1});
  layers.push_back({Family::pointwise, 1, 1280, 1000, 1, 1, true});
  return layers;
}

// What a net's arithmetic costs beside another's: rules of the targets, and legacy weights.
enum class Scheme {
  tflm,
  half_up,
  f32,
  pow2,
  pow2_half_even,
  half_even,
  legacy,
  pairs,
  staged,
  lines,
  thresholds,
  ladder
};
constexpr const char* scheme_names[] = {
    "gemmlowp2",       "half-up",       "f32",        "shift",
    "shift half even", "half even",     "u8 weights", "f32, saturating pairs",
    "staged",          "staged, lines", "thresholds"};

void apply_scheme(Noise& noise, Scheme scheme, int32_t exponent, Case* c) {
  program::Requant& r = c->conv.requant;
  if (scheme == Scheme::half_up) r.rule = Rule::half_up;
  if (scheme == Scheme::half_even) r.rule = Rule::half_even;
  if (scheme == Scheme::f32 || scheme == Scheme::pairs) {
    r = {};
    r.kind = RequantKind::f32;
    for (int32_t i = 0; i < c->conv.output_channels; ++i) {
      r.scale.push_back(
          static_cast<float>(std::ldexp(0.5 + noise.range(0, 500) / 1000.0, -exponent)));
    }
  } else if (scheme == Scheme::pow2 || scheme == Scheme::pow2_half_even) {
    r = {};
    r.kind = RequantKind::shift;
    r.rule = scheme == Scheme::pow2 ? Rule::half_up : Rule::half_even;
    r.shift = {exponent};
  } else if (scheme >= Scheme::staged) {
    const int kind = int(scheme) - int(Scheme::staged);
    r = staged(noise, kind, exponent, size_t(c->conv.output_channels));
  }
  if (scheme == Scheme::pairs) {
    c->input.type = c->output.type = CodeType::u8;
    c->input.zero_point += 128;
    c->output.zero_point += 128;
    c->conv.accumulator.products = program::Products::sat_pairs16;
  }
  if (scheme == Scheme::legacy) {
    c->conv.weight_type = WeightType::u8;
    c->weights[0] = 0;  // the whole range of 256 values
    c->weights[c->weights.size() - 1] = 255;
    c->conv.weight_zero_points.assign(c->conv.weight_zero_points.size(), 140);
  }
}

Case make_layer(Noise& noise, const Layer& layer, Scheme scheme) {
  Case c;
  Conv& conv = c.conv;
  const int32_t size = (layer.size + layer.stride - 1) / layer.stride;
  c.input = {"", CodeType::s8, layer.size, layer.size, layer.in, -128, 1};
  c.output = {"", CodeType::s8, size, size, layer.out, -128, 1};
  conv.window.kernel_h = conv.window.kernel_w = layer.kernel;
  conv.window.stride_h = conv.window.stride_w = layer.stride;
  if (layer.kernel == 3) {
    conv.window.pads = layer.stride == 1 ? Pads{1, 1, 1, 1} : Pads{0, 0, 1, 1};
  }
  conv.groups = layer.family == Family::depthwise ? layer.in : 1;
  conv.input_channels = layer.in;
  conv.output_channels = layer.out;
  conv.weight_count = size_t(layer.out) * conv.reduction();
  c.weights.resize(conv.weight_count);
  for (uint8_t& w : c.weights) {
    w = static_cast<uint8_t>(std::clamp(bell(noise, 127), -127, 127));
  }
  conv.weights = c.weights.data();
  conv.weight_zero_points.assign(size_t(layer.out), 0);
  conv.bias.assign(size_t(layer.out), 0);
  const double spread = 10000.0 * std::sqrt(double(conv.reduction()));
  const auto exponent = int32_t(std::lround(std::log2(spread / 60)));
  conv.requant.kind = RequantKind::fixed;
  conv.requant.rule = Rule::gemmlowp2;
  for (int32_t i = 0; i < layer.out; ++i) {
    conv.requant.multiplier.push_back((1 << 30) + noise.range(0, (1 << 30) - 1));
    conv.requant.shift.push_back(31 + exponent + noise.range(0, 1));
  }
  if (layer.linear) c.output.zero_point = 0;
  apply_scheme(noise, scheme, exponent, &c);
  const CodeType type = c.output.type;
  conv.clamp = {{program::least_code(type)}, {program::greatest_code(type)}};
  return c;
}

// A layer ready to run.
struct Bench {
  Case c;
  std::unique_ptr<FastConv> conv;
  std::shared_ptr<Buffer> in, out;
  AlignedBytes scratch;

  void run() const {
    conv->run(view_of(in->image), view_of(out->image), {0, c.output.height, 0, conv->panel_count()},
              scratch.get());
  }
};

std::shared_ptr<Buffer> noisy_buffer(Noise& noise, const Tensor& tensor, const Pads& halo) {
  auto buffer = std::make_shared<Buffer>(tensor, halo, uint8_t{0});
  for (int32_t y = 0; y < tensor.height; ++y) {
    for (size_t i = 0; i < buffer->image.row_codes(); ++i) {
      buffer->image.row(y)[i] = static_cast<uint8_t>(noise.bits());
    }
  }
  return buffer;
}

// Layers whose shapes fit share a buffer, as in a net: what one writes the next finds in its cache.
// False if some layer has no SIMD form.
bool prepare(Noise& noise, const std::vector<Layer>& layers, Scheme scheme, uint32_t flags,
             std::vector<Bench>* benches) {
  for (const Layer& layer : layers) {
    Case c = make_layer(noise, layer, scheme);
    auto conv = make_fast_conv(c.conv, c.input, c.output, flags);
    if (conv == nullptr) return false;
    AlignedBytes scratch = aligned_bytes(conv->scratch_bytes());
    benches->push_back({std::move(c), std::move(conv), nullptr, nullptr, std::move(scratch)});
  }
  std::shared_ptr<Buffer> before;
  for (size_t i = 0; i < benches->size(); ++i) {
    Bench& b = (*benches)[i];
    const bool joins = before != nullptr && before->image.height == b.c.input.height &&
                       before->image.channels == b.c.input.channels;
    b.in = joins ? before : noisy_buffer(noise, b.c.input, b.conv->input_halo());
    const bool last = i + 1 == benches->size();
    b.out = noisy_buffer(noise, b.c.output, last ? Pads{} : (*benches)[i + 1].conv->input_halo());
    before = b.out;
  }
  return true;
}

void print_layer(const Layer& layer, const char* variant, double seconds) {
  const int32_t size = (layer.size + layer.stride - 1) / layer.stride;
  const double macs = double(size) * size * layer.kernel * layer.kernel * layer.out *
                      (layer.family == Family::depthwise ? 1 : layer.in);
  std::printf("%-32s %3d %4d -> %4d stride %d  %8.4f ms %7.1f GMAC/s\n", variant, layer.size,
              layer.in, layer.out, layer.stride, seconds * 1e3, macs / seconds / 1e9);
}

void bench_net(Check& check, const char* net, const std::vector<Layer>& layers, const char* tier,
               uint32_t flags) {
  Noise noise(check.options().seed);
  std::vector<Bench> benches;
  double by_family[3] = {0, 0, 0};
  if (!prepare(noise, layers, Scheme::tflm, flags, &benches)) {
    std::printf("%s %s: some layer has no SIMD form\n", net, tier);
    return;
  }
  for (size_t i = 0; i < layers.size(); ++i) {
    const Bench& b = benches[i];
    const Seconds seconds = time_runs([&b] { b.run(); });
    by_family[static_cast<int>(layers[i].family)] += seconds.least;
    if (check.wanted(b.conv->name())) print_layer(layers[i], b.conv->name(), seconds.median);
  }
  // One after the other, as a net runs them: weights have to come from far caches.
  const Seconds whole = time_runs(
      [&benches] {
        for (const Bench& b : benches) b.run();
      },
      0.3);
  const Seconds load = time_runs(
      [&] {
        for (const Bench& b : benches) make_fast_conv(b.c.conv, b.c.input, b.c.output, flags);
      },
      0.1);
  std::printf("%s %s: packing %.3f ms least\n", net, tier, load.least * 1e3);
  std::printf(
      "%s %s: median %.3f ms, least %.3f ms in sequence; least by themselves: pointwise %.3f, "
      "dense %.3f, depthwise %.3f\n",
      net, tier, whole.median * 1e3, whole.least * 1e3, by_family[0] * 1e3, by_family[1] * 1e3,
      by_family[2] * 1e3);
}

void bench_schemes(Check& check, const char* net, const std::vector<Layer>& layers,
                   const char* tier, uint32_t flags) {
  for (Scheme scheme : {Scheme::tflm, Scheme::half_up, Scheme::f32, Scheme::pow2,
                        Scheme::pow2_half_even, Scheme::half_even, Scheme::legacy, Scheme::pairs,
                        Scheme::staged, Scheme::lines, Scheme::thresholds, Scheme::ladder}) {
    Noise noise(check.options().seed);
    std::vector<Bench> benches;
    if (!prepare(noise, layers, scheme, flags, &benches)) continue;
    const Seconds whole = time_runs(
        [&benches] {
          for (const Bench& b : benches) b.run();
        },
        0.2);
    std::printf("%s %s, %s: median %.3f ms, least %.3f ms\n", net, tier,
                scheme_names[static_cast<int>(scheme)], whole.median * 1e3, whole.least * 1e3);
  }
}

}  // namespace

void check_conv(Check& check) {
  for (const auto& [tier, flags] : tiers(check.options().flags)) {
    Tally tally;
    for (int32_t n = 0; n < check.options().cases; ++n) {
      for (Family family : {Family::pointwise, Family::dense, Family::depthwise}) {
        try_case(check, tier.c_str(), flags, family, n, &tally);
      }
    }
    std::printf("%s: %d convolutions, %d left to the reference, %d constant results\n",
                tier.c_str(), tally.tried, tally.declined, tally.constant);
    if (tally.constant * 2 > tally.tried) check.fail(tier, "most results are constant");
  }
}

void bench_conv(Check& check) {
  for (const auto& [tier, flags] : tiers(check.options().flags)) {
    bench_net(check, "MobileNetV1 1.0", mobilenet_v1(), tier.c_str(), flags);
    bench_net(check, "MobileNetV2 1.0", mobilenet_v2(), tier.c_str(), flags);
  }
  const auto all = tiers(check.options().flags);
  if (all.empty()) return;
  const auto& [tier, flags] = all.back();
  bench_schemes(check, "MobileNetV1 1.0", mobilenet_v1(), tier.c_str(), flags);
  bench_schemes(check, "MobileNetV2 1.0", mobilenet_v2(), tier.c_str(), flags);
}

}  // namespace lastbit::check
