// SPDX-License-Identifier: Apache-2.0
#include "kernels/conv/conv_ref.h"

#include <algorithm>
#include <vector>

#include "kernels/requant/finish.h"
#include "numeric/saturate.h"
#include "program/ranges.h"

namespace lastbit {
namespace {

using program::Accumulator;
using program::Conv;
using program::Overflow;
using program::Products;
using program::Tensor;
using program::When;

// What one output pixel reads, as [ky][kx][ic] with the zero point taken off; positions outside the
// image hold 0, which adds nothing in any order. Where pairs saturate it holds raw codes instead,
// and the zero point outside.
template <class Term>
class Gather {
 public:
  Gather(const Conv& conv, const Tensor& input, bool raw)
      : window_(conv.window),
        channels_(static_cast<size_t>(input.channels)),
        subtract_(raw ? 0 : input.zero_point),
        outside_(static_cast<Term>(input.zero_point - subtract_)) {}

  size_t terms() const {
    return static_cast<size_t>(window_.kernel_h) * static_cast<size_t>(window_.kernel_w) *
           channels_;
  }

  void operator()(const Image& in, int32_t oy, int32_t ox, Term* patch) const {
    for (int32_t ky = 0; ky < window_.kernel_h; ++ky) {
      const int64_t y =
          int64_t{oy} * window_.stride_h - window_.pads.top + int64_t{ky} * window_.dilation_h;
      for (int32_t kx = 0; kx < window_.kernel_w; ++kx, patch += channels_) {
        const int64_t x =
            int64_t{ox} * window_.stride_w - window_.pads.left + int64_t{kx} * window_.dilation_w;
        if (y < 0 || y >= in.height || x < 0 || x >= in.width) {
          std::fill_n(patch, channels_, outside_);
        } else {
          pixel(in, static_cast<int32_t>(y), static_cast<size_t>(x), patch);
        }
      }
    }
  }

 private:
  void pixel(const Image& in, int32_t y, size_t x, Term* patch) const {
    if (program::is_8_bit(in.type)) {
      const int32_t take = subtract_ + program::stored_offset(in.type);
      const uint8_t* stored = in.row(y) + x * channels_;
      for (size_t i = 0; i < channels_; ++i) patch[i] = static_cast<Term>(stored[i] - take);
    } else {
      const int16_t* codes = reinterpret_cast<const int16_t*>(in.row(y)) + x * channels_;
      for (size_t i = 0; i < channels_; ++i) patch[i] = static_cast<Term>(codes[i] - subtract_);
    }
  }

  program::Window window_;
  size_t channels_;
  int32_t subtract_;
  Term outside_;
};

// The terms of one output channel: `taps` runs of `run` weights, and the matching inputs, whose
// runs are `step` apart (all input channels; a group uses some of them).
template <class Term, class Weight>
struct Terms {
  const Term* x;
  const Weight* w;
  size_t taps, run, step;

  template <class Visit>
  bool each(Visit visit) const {
    for (size_t t = 0; t < taps; ++t) {
      for (size_t i = 0; i < run; ++i) {
        if (!visit(x[t * step + i], w[t * run + i])) return false;
      }
    }
    return true;
  }

  template <class Sum>
  Sum sum() const {
    Sum total = 0;
    for (size_t t = 0; t < taps; ++t) {
      for (size_t i = 0; i < run; ++i) {
        total += static_cast<Sum>(x[t * step + i]) * static_cast<Sum>(w[t * run + i]);
      }
    }
    return total;
  }
};

// overflow(v) of the specification. `trapped` stays set once a value left a trapping range.
class Overflower {
 public:
  explicit Overflower(const Accumulator& a)
      : bits_(a.bits),
        kind_(a.overflow),
        least_(least_of_bits(a.bits) + (a.overflow == Overflow::saturate_symmetric ? 1 : 0)),
        greatest_(greatest_of_bits(a.bits)) {}

  bool fits(int64_t v) const { return v >= least_ && v <= greatest_; }
  bool traps() const { return kind_ == Overflow::trap; }
  int64_t operator()(int64_t v) const {
    if (fits(v)) return v;
    return kind_ == Overflow::wrap ? wrap_to_bits(v, bits_) : clamp_to(v, least_, greatest_);
  }

 private:
  int bits_;
  Overflow kind_;
  int64_t least_, greatest_;
};

// Term and Weight hold x - z and w - zw: int16 where both have 8 bits, wider otherwise.
template <class Term, class Weight>
class Direct : public ConvRef {
 public:
  Direct(const Conv& conv, const Tensor& input, const Tensor& output)
      : pairs_(conv.accumulator.products == Products::sat_pairs16 &&
               !program::pairs_never_saturate(conv)),
        gather_(conv, input, pairs_),
        finish_(conv.requant, conv.clamp, output.zero_point),
        overflow_(conv.accumulator),
        accumulator_(conv.accumulator),
        taps_(static_cast<size_t>(conv.window.kernel_h) *
              static_cast<size_t>(conv.window.kernel_w)),
        run_(static_cast<size_t>(conv.input_channels / conv.groups)),
        step_(static_cast<size_t>(conv.input_channels)),
        per_group_(static_cast<size_t>(conv.output_channels / conv.groups)),
        bias_(conv.bias),
        output_channels_(static_cast<size_t>(conv.output_channels)),
        depthwise_(run_ == 1 && per_group_ == 1) {
    for (int32_t oc = 0; oc < conv.output_channels; ++oc) {
      plain_.push_back(sizeof(Weight) == 2 && program::stays_in_int32(conv, input, oc));
    }
    all_plain_ = std::all_of(plain_.begin(), plain_.end(), [](char p) { return p != 0; });
    copy_weights(conv);
    if (pairs_) subtract_zero_point_sums(conv, input);
  }

  size_t scratch_bytes() const override {
    return padded(gather_.terms() * sizeof(Term)) + 2 * padded(output_channels_ * 4);
  }

  const char* name() const override {
    if (!all_plain_) return "conv_ordered_ref";
    return depthwise_ ? "dwconv_ref" : "conv_ref";
  }

  bool run(const Image& in, const Image& out, int32_t row_begin, int32_t row_end, uint8_t* scratch,
           TrapSite* trap) const override {
    Term* patch = reinterpret_cast<Term*>(scratch);
    scratch += padded(gather_.terms() * sizeof(Term));
    int32_t* acc = reinterpret_cast<int32_t*>(scratch);
    int32_t* codes = reinterpret_cast<int32_t*>(scratch + padded(output_channels_ * 4));
    const size_t pixel_bytes = output_channels_ * program::code_bytes(out.type);
    for (int32_t y = row_begin; y < row_end; ++y) {
      for (int32_t x = 0; x < out.width; ++x) {
        gather_(in, y, x, patch);
        if (all_plain_) {
          plain_pixel(patch, acc);
          finish_.all(acc, output_channels_, codes);
        } else if (!ordered_pixel(patch, codes, trap)) {
          trap->element += (int64_t{y} * out.width + x) * static_cast<int64_t>(output_channels_);
          return false;
        }
        store_codes(out.type, codes, output_channels_,
                    out.row(y) + static_cast<size_t>(x) * pixel_bytes);
      }
    }
    return true;
  }

 private:
  static size_t padded(size_t bytes) { return (bytes + 63) / 64 * 64; }

  // [oc][tap][run], or [tap][oc] for a depthwise layer whose channels are all plain: neighbouring
  // channels are then neighbours in memory for weights as for inputs.
  void copy_weights(const Conv& conv) {
    const size_t per_channel = taps_ * run_;
    weights_.resize(conv.weight_count);
    for (size_t oc = 0; oc < output_channels_; ++oc) {
      for (size_t i = 0; i < per_channel; ++i) {
        const size_t at = transposed() ? i * output_channels_ + oc : oc * per_channel + i;
        weights_[at] = static_cast<Weight>(conv.weight(oc, i) - conv.weight_zero_points[oc]);
      }
    }
  }
  bool transposed() const { return depthwise_ && all_plain_; }

  // With raw codes the sum lacks -z * (sum of all weights): it joins the bias.
  void subtract_zero_point_sums(const Conv& conv, const Tensor& input) {
    for (size_t oc = 0; oc < output_channels_; ++oc) {
      int64_t sum = 0;
      for (size_t i = 0; i < taps_ * run_; ++i) sum += conv.weight(oc, i);
      pair_bias_.push_back(conv.bias[oc] - input.zero_point * sum);
    }
  }

  Terms<Term, Weight> terms(const Term* patch, size_t oc) const {
    return {patch + oc / per_group_ * run_, weights_.data() + oc * taps_ * run_, taps_, run_,
            step_};
  }

  void plain_pixel(const Term* patch, int32_t* acc) const {
    if (transposed()) return depthwise_pixel(patch, acc);
    for (size_t oc = 0; oc < output_channels_; ++oc) acc[oc] = plain_sum(patch, oc);
  }

  int32_t plain_sum(const Term* patch, size_t oc) const {
    // int64 for the bias alone: raw sums and their correction may leave int32 before they meet.
    if (pairs_)
      return static_cast<int32_t>(pair_bias_[oc] + terms(patch, oc).template sum<int64_t>());
    if (taps_ == 1 || step_ == run_) {
      const Terms<Term, Weight> dense{patch + oc / per_group_ * run_,
                                      weights_.data() + oc * taps_ * run_, 1, taps_ * run_, 0};
      return bias_[oc] + dense.template sum<int32_t>();
    }
    return bias_[oc] + terms(patch, oc).template sum<int32_t>();
  }

  void depthwise_pixel(const Term* patch, int32_t* acc) const {
    std::copy(bias_.begin(), bias_.end(), acc);
    const Weight* w = weights_.data();
    for (size_t t = 0; t < taps_; ++t, patch += output_channels_, w += output_channels_) {
      for (size_t c = 0; c < output_channels_; ++c) acc[c] += patch[c] * w[c];
    }
  }

  bool ordered_pixel(const Term* patch, int32_t* codes, TrapSite* trap) const {
    for (size_t oc = 0; oc < output_channels_; ++oc) {
      int64_t acc = 0;
      if (plain_[oc]) {
        acc = plain_sum(patch, oc);
      } else if (!ordered_sum(patch, oc, &acc)) {
        *trap = {static_cast<int64_t>(oc), acc};
        return false;
      }
      codes[oc] = finish_.one(acc, oc);
    }
    return true;
  }

  // False if *acc left a trapping range.
  bool ordered_sum(const Term* patch, size_t oc, int64_t* acc) const {
    if (accumulator_.when == When::end) {
      *acc = pairs_ ? pair_bias_[oc] + pair_sum(patch, oc)
                    : bias_[oc] + terms(patch, oc).template sum<int64_t>();
      return pass(acc);
    }
    *acc = 0;
    const auto add = [this, acc](int64_t v) {
      *acc += v;
      return pass(acc);
    };
    if (accumulator_.bias_first && !add(bias_[oc])) return false;
    const auto add_product = [&add](Term x, Weight w) { return add(int64_t{x} * w); };
    if (!terms(patch, oc).each(add_product)) return false;
    return accumulator_.bias_first || add(bias_[oc]);
  }

  bool pass(int64_t* acc) const {
    if (overflow_.traps()) return overflow_.fits(*acc);
    *acc = overflow_(*acc);
    return true;
  }

  int64_t pair_sum(const Term* patch, size_t oc) const {
    int64_t sum = 0;
    int32_t first = 0;
    bool half = false;
    terms(patch, oc).each([&](Term x, Weight w) {
      const auto product = static_cast<int32_t>(x * w);
      if (half) sum += saturate16(first + product);
      first = product;
      half = !half;
      return true;
    });
    return half ? sum + saturate16(first) : sum;
  }

  bool pairs_;  // and some pair can saturate
  Gather<Term> gather_;
  Finish finish_;
  Overflower overflow_;
  Accumulator accumulator_;
  size_t taps_, run_, step_, per_group_;
  std::vector<int32_t> bias_;
  size_t output_channels_;
  bool depthwise_;
  std::vector<char> plain_;  // by channel: order and overflow cannot matter
  bool all_plain_ = false;
  std::vector<Weight> weights_;
  std::vector<int64_t> pair_bias_;
};

}  // namespace

std::unique_ptr<ConvRef> make_conv_ref(const Conv& conv, const Tensor& input,
                                       const Tensor& output) {
  if (program::is_8_bit(input.type) && conv.weight_type != program::WeightType::s16) {
    return std::make_unique<Direct<int16_t, int16_t>>(conv, input, output);
  }
  return std::make_unique<Direct<int32_t, int32_t>>(conv, input, output);
}

}  // namespace lastbit
