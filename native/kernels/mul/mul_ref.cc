// SPDX-License-Identifier: Apache-2.0
#include "kernels/mul/mul_ref.h"

#include "kernels/requant/finish.h"

namespace lastbit {
namespace {

using program::Tensor;

class MulRef final : public RowKernel {
 public:
  MulRef(const program::Mul& mul, const Tensor& a, const Tensor& b, const Tensor& output)
      : finish_(mul.requant, mul.clamp, output.zero_point), repeat_b_(mul.repeat_b), a_(a), b_(b) {}
  const char* name() const override { return "mul_ref"; }
  size_t scratch_bytes() const override { return row_scratch(a_) + row_scratch(b_); }
  void row(const OpImages& images, int32_t y, uint8_t* scratch) const override {
    const Image &a = *images.inputs[0], &b = *images.inputs[1], &out = *images.output;
    const auto channels = static_cast<size_t>(out.channels);
    auto* codes_a = reinterpret_cast<int32_t*>(scratch);
    auto* codes_b = reinterpret_cast<int32_t*>(scratch + row_scratch(a_));
    load_codes(a.type, a.row(y), a.row_codes(), codes_a);
    load_codes(b.type, b.row(repeat_b_ ? 0 : y), b.row_codes(), codes_b);
    for (int32_t x = 0; x < out.width; ++x) {
      int32_t* pixel = codes_a + static_cast<size_t>(x) * channels;
      const int32_t* by = codes_b + (repeat_b_ ? 0 : static_cast<size_t>(x) * channels);
      for (size_t c = 0; c < channels; ++c) {
        pixel[c] = (pixel[c] - a_.zero_point) * (by[c] - b_.zero_point);
      }
      finish_.all(pixel, channels, pixel);
    }
    store_codes(out.type, codes_a, out.row_codes(), out.row(y));
  }

 private:
  Finish finish_;
  bool repeat_b_;
  Tensor a_, b_;
};

}  // namespace

std::unique_ptr<RowKernel> make_mul_ref(const program::Mul& mul, const Tensor& a, const Tensor& b,
                                        const Tensor& output) {
  return std::make_unique<MulRef>(mul, a, b, output);
}

}  // namespace lastbit
