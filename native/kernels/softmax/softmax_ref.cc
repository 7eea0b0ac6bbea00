// SPDX-License-Identifier: Apache-2.0
#include "kernels/softmax/softmax_ref.h"

#include <algorithm>

#include "numeric/gemmlowp.h"
#include "numeric/saturate.h"

namespace lastbit {
namespace {

using namespace gemmlowp;
using program::SoftmaxGemmlowp;
using program::SoftmaxRule;
using program::SoftmaxTable;
using program::SoftmaxWide;
using program::Tensor;

int32_t leading_zeros(uint32_t v) {
  int32_t count = 0;
  for (uint32_t bit = 1u << 31; bit != 0 && (v & bit) == 0; bit >>= 1) ++count;
  return count;
}

int32_t exp_of(const SoftmaxGemmlowp& f, int32_t difference) {
  return exp_on_negative_values(
      srdhm(difference * static_cast<int32_t>(int64_t{1} << f.left_shift), f.multiplier));
}

}  // namespace

SoftmaxRef::SoftmaxRef(const program::Softmax& softmax, const Tensor& output)
    : softmax_(softmax),
      least_(program::least_code(output.type)),
      greatest_(program::greatest_code(output.type)),
      zero_point_(output.zero_point) {
  const auto* form = std::get_if<SoftmaxGemmlowp>(&softmax.form);
  if (form == nullptr) return;
  for (int32_t d = 0; d < 256; ++d) {
    exp_[static_cast<size_t>(d)] = -d >= form->diff_min ? exp_of(*form, -d) : -1;
  }
}

void SoftmaxRef::fill(const SoftmaxGemmlowp&, const int32_t* x, size_t channels, int32_t max,
                      int32_t* y) const {
  // The maximum itself adds 2^19 and the loader allows at most 4095 channels, so the sum is
  // positive and fits.
  int32_t sum = 0;
  for (size_t c = 0; c < channels; ++c) {
    const int32_t e = exp_[static_cast<size_t>(max - x[c])];
    if (e >= 0) sum += rdbpot(e, 12);
  }
  const int32_t n = leading_zeros(static_cast<uint32_t>(sum));
  const uint32_t normal = static_cast<uint32_t>(sum) << n;  // in [2^31, 2^32)
  const int32_t r = one_over_one_plus_x(static_cast<int32_t>(normal - (1u << 31)));
  for (size_t c = 0; c < channels; ++c) {
    const int32_t e = exp_[static_cast<size_t>(max - x[c])];
    if (e < 0) {
      y[c] = least_;
    } else {
      const int64_t v = rdbpot(srdhm(r, e), 12 - n + 31 - 8);
      y[c] = static_cast<int32_t>(clamp_to<int64_t>(v + least_, least_, greatest_));
    }
  }
}

void SoftmaxRef::fill(const SoftmaxTable& f, const int32_t* x, size_t channels, int32_t max,
                      int32_t* y) const {
  float sum = 0;
  for (size_t c = 0; c < channels; ++c) sum += f.table[static_cast<size_t>(max - x[c])];
  const float inverse = 1.0f / (sum * f.output_scale);
  for (size_t c = 0; c < channels; ++c) {
    const float v = f.table[static_cast<size_t>(max - x[c])] * inverse;
    const int64_t code = f.rule == SoftmaxRule::half_away
                             ? round_half_away(v)
                             : static_cast<int64_t>(std::min(v + 0.5f, 0x1p62f));
    y[c] = static_cast<int32_t>(clamp_to<int64_t>(code + zero_point_, least_, greatest_));
  }
}

void SoftmaxRef::fill(const SoftmaxWide& f, const int32_t* x, size_t channels, int32_t max,
                      int32_t* y) const {
  const auto exp = [&](size_t c) { return f.exp[static_cast<size_t>(max - x[c])]; };
  // At most 65536 entries of 32767, at least 2^14 for the maximum itself.
  int32_t sum = 0;
  for (size_t c = 0; c < channels; ++c) sum += exp(c);
  const int32_t n = leading_zeros(static_cast<uint32_t>(sum));
  // In [2^16, 2^17].
  const int64_t normal = ((int64_t{sum} << (n - 1)) + (1 << 13)) >> 14;
  const int64_t r = f.reciprocal[static_cast<size_t>(std::min<int64_t>(normal - 65536, 65535))];
  const int32_t shift = 31 - n;
  for (size_t c = 0; c < channels; ++c) {
    const int64_t share = (exp(c) * r + (int64_t{1} << (shift - 1))) >> shift;
    y[c] = static_cast<int32_t>(clamp_to<int64_t>(share, 0, INT16_MAX));
  }
}

void SoftmaxRef::run(const int32_t* x, size_t channels, int32_t* y) const {
  const int32_t max = *std::max_element(x, x + channels);
  std::visit([&](const auto& form) { fill(form, x, channels, max, y); }, softmax_.form);
}

namespace {

class SoftmaxRows final : public RowKernel {
 public:
  SoftmaxRows(const program::Softmax& softmax, const Tensor& output)
      : softmax_(softmax, output), output_(output) {}
  const char* name() const override { return "softmax_ref"; }
  size_t scratch_bytes() const override { return 2 * row_scratch(output_); }
  void row(const OpImages& images, int32_t y, uint8_t* scratch) const override {
    const Image &in = *images.inputs[0], &out = *images.output;
    const auto channels = static_cast<size_t>(out.channels);
    auto* x = reinterpret_cast<int32_t*>(scratch);
    auto* codes = reinterpret_cast<int32_t*>(scratch + row_scratch(output_));
    load_codes(in.type, in.row(y), in.row_codes(), x);
    for (size_t at = 0; at < out.row_codes(); at += channels) {
      softmax_.run(x + at, channels, codes + at);
    }
    store_codes(out.type, codes, out.row_codes(), out.row(y));
  }

 private:
  SoftmaxRef softmax_;
  Tensor output_;
};

}  // namespace

std::unique_ptr<RowKernel> make_softmax_ref(const program::Softmax& softmax, const Tensor& output) {
  return std::make_unique<SoftmaxRows>(softmax, output);
}

}  // namespace lastbit
