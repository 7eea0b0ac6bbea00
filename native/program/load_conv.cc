// SPDX-License-Identifier: Apache-2.0
#include "program/loader.h"
#include "program/ranges.h"

namespace lastbit::program {
namespace {

constexpr int64_t max_sum = int64_t{1} << 62;

template <class T>
void view_weights(Reader& reader, Conv& conv) {
  conv.weights = reader.view<T>("weights", &conv.weight_count);
}

template <class T>
void repeat(std::vector<T>& values, size_t count) {
  if (values.size() == 1) values.resize(count, values[0]);
}

// [-bound, bound], or what the accumulator's bits hold where that is less: without an overflow no
// sum leaves the one, and after it none leaves the other.
Interval accumulators(int64_t bound, int bits) {
  return {std::max(-bound, least_of_bits(bits)), std::min(bound, greatest_of_bits(bits))};
}

}  // namespace

Accumulator Loader::read_accumulator() {
  Accumulator a;
  a.bits = static_cast<int32_t>(r_.u32_in("accumulator bits", 16, 64));
  a.overflow = r_.enumeration<Overflow>("an overflow", 4);
  a.when = r_.enumeration<When>("a time of overflow", 2);
  a.products = r_.enumeration<Products>("a kind of products", 2);
  a.bias_first = r_.u32_in("biasFirst", 0, 1) != 0;
  return a;
}

void Loader::read_weights(Conv& conv) {
  conv.weight_type = r_.enumeration<WeightType>("a weight type", 3);
  switch (conv.weight_type) {
    case WeightType::s8:
      view_weights<int8_t>(r_, conv);
      break;
    case WeightType::u8:
      view_weights<uint8_t>(r_, conv);
      break;
    case WeightType::s16:
      view_weights<int16_t>(r_, conv);
      break;
  }
  conv.weight_zero_points =
      read_entries<int32_t>("weight zero points", static_cast<size_t>(out_->channels));
  constexpr int32_t least[] = {-128, 0, -32768}, greatest[] = {127, 255, 32767};
  const auto type = static_cast<size_t>(conv.weight_type);
  require_range(conv.weight_zero_points, least[type], greatest[type], "a weight zero point");
}

void Loader::check_weight_count(const Conv& conv) const {
  require(in().channels % conv.groups == 0 && out_->channels % conv.groups == 0,
          "groups must divide its channels");
  // Each factor is at most 2^16, so three of them stay below 2^49 and the division is exact.
  const uint64_t per_channel = uint64_t(conv.window.kernel_h) * uint64_t(conv.window.kernel_w) *
                               uint64_t(in().channels / conv.groups);
  const auto channels = uint64_t(out_->channels);
  require(conv.weight_count % channels == 0 && conv.weight_count / channels == per_channel,
          "the number of weights is not output channels x kernel x input channels / groups");
  require(conv.bias.size() == channels, "there must be one bias per output channel");
}

// |bias| + sum of |w - zw| * max |x - z| < 2^62 for each channel: sums below it cannot leave 63
// bits, whatever their order. Raw codes and z * w (satPairs16) are at most twice the range of u8.
void Loader::check_sums(const Conv& conv) const {
  const Centred x = centred(in());
  const int64_t pixel =
      conv.accumulator.products == Products::sat_pairs16 ? 510 : std::max(-x.least, x.greatest);
  // |w - zw| <= 65535: where the crudest bound holds and nothing asks for the finer one, no weight
  // is read.
  const bool crude =
      Int128{int64_t(conv.reduction())} * 65535 * pixel + (int64_t{1} << 31) < max_sum;
  if (crude && conv.requant.kind != RequantKind::stages) return;
  for (size_t oc = 0; oc < conv.bias.size(); ++oc) {
    const Int128 bound = Int128{weight_magnitude(conv, static_cast<int32_t>(oc))} * pixel +
                         std::abs(int64_t{conv.bias[oc]});
    require(bound < max_sum, "a sum may leave 63 bits");
    check_stages(conv.requant, oc,
                 accumulators(static_cast<int64_t>(bound), conv.accumulator.bits));
  }
}

void Loader::check_pairs(const Conv& conv) const {
  const bool symmetric = std::all_of(conv.weight_zero_points.begin(), conv.weight_zero_points.end(),
                                     [](int32_t z) { return z == 0; });
  require(in().type == CodeType::u8 && conv.weight_type == WeightType::s8 && symmetric &&
              conv.accumulator.when == When::end,
          "satPairs16 needs u8 codes, s8 weights with zero points 0, and overflow at the end");
}

Body Loader::read_conv() {
  Conv conv;
  conv.window = read_window(true);
  conv.groups = static_cast<int32_t>(r_.u32_in("groups", 1, max_side));
  conv.input_channels = in().channels;
  conv.output_channels = out_->channels;
  read_weights(conv);
  conv.bias = r_.array<int32_t>("biases");
  conv.accumulator = read_accumulator();
  conv.requant = read_requant(static_cast<size_t>(out_->channels), conv.accumulator.bits > 32);
  conv.clamp = read_clamp();
  require_window_output(conv.window, out_->channels);
  check_weight_count(conv);
  // From here on there is a bias for each channel, so repeating cannot outgrow the file by much.
  const size_t channels = conv.bias.size();
  for (std::vector<int32_t>* values : {&conv.weight_zero_points, &conv.requant.multiplier,
                                       &conv.requant.shift, &conv.clamp.lo, &conv.clamp.hi}) {
    repeat(*values, channels);
  }
  repeat(conv.requant.scale, channels);
  if (conv.accumulator.products == Products::sat_pairs16) check_pairs(conv);
  check_sums(conv);
  return conv;
}

}  // namespace lastbit::program
