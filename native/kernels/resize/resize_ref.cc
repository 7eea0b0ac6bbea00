// SPDX-License-Identifier: Apache-2.0
#include "kernels/resize/resize_ref.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "numeric/round.h"

namespace lastbit {
namespace {

using program::ResizeAxis;
using program::ResizeForm;
using program::Tensor;

// What one output position lies between, on one axis.
struct Between {
  size_t first, second;
  int32_t weight;  // of the second, in integers
  float first_weight, second_weight;
};

Between between(const ResizeAxis& axis, ResizeForm form, int32_t at) {
  const auto i = static_cast<size_t>(at);
  Between b{static_cast<size_t>(axis.first[i]), static_cast<size_t>(axis.second[i]), 0, 0, 0};
  if (form == ResizeForm::integer) {
    b.weight = axis.weight[i];
  } else {
    b.first_weight = axis.first_weight[i];
    b.second_weight = axis.second_weight[i];
  }
  return b;
}

// 0 fractional bits: every output pixel is one of the input.
class ResizeCopy final : public RowKernel {
 public:
  explicit ResizeCopy(program::Resize resize) : resize_(std::move(resize)) {}
  const char* name() const override { return "resize_copy"; }
  void row(const OpImages& images, int32_t y, uint8_t*) const override {
    const Image &in = *images.inputs[0], &out = *images.output;
    const size_t pixel = static_cast<size_t>(out.channels) * program::code_bytes(out.type);
    const uint8_t* from = in.row(source(resize_.rows, y));
    uint8_t* to = out.row(y);
    for (int32_t x = 0; x < out.width; ++x, to += pixel) {
      std::memcpy(to, from + static_cast<size_t>(source(resize_.columns, x)) * pixel, pixel);
    }
  }

 private:
  static int32_t source(const ResizeAxis& axis, int32_t at) {
    const auto i = static_cast<size_t>(at);
    return axis.weight[i] == 0 ? axis.first[i] : axis.second[i];
  }

  program::Resize resize_;
};

class ResizeRef final : public RowKernel {
 public:
  ResizeRef(program::Resize resize, const Tensor& input, const Tensor& output)
      : resize_(std::move(resize)), in_(input), out_(output) {}
  const char* name() const override { return "resize_ref"; }
  size_t scratch_bytes() const override { return 2 * row_scratch(in_) + row_scratch(out_); }
  void row(const OpImages& images, int32_t y, uint8_t* scratch) const override {
    const Image &in = *images.inputs[0], &out = *images.output;
    auto* above = reinterpret_cast<int32_t*>(scratch);
    auto* below = reinterpret_cast<int32_t*>(scratch + row_scratch(in_));
    auto* codes = reinterpret_cast<int32_t*>(scratch + 2 * row_scratch(in_));
    const Between rows = between(resize_.rows, resize_.form, y);
    load_codes(in.type, in.row(static_cast<int32_t>(rows.first)), in.row_codes(), above);
    load_codes(in.type, in.row(static_cast<int32_t>(rows.second)), in.row_codes(), below);
    const auto channels = static_cast<size_t>(out.channels);
    for (int32_t x = 0; x < out.width; ++x) {
      const Between columns = between(resize_.columns, resize_.form, x);
      const size_t left = columns.first * channels, right = columns.second * channels;
      int32_t* to = codes + static_cast<size_t>(x) * channels;
      for (size_t c = 0; c < channels; ++c) {
        const int32_t corners[4] = {above[left + c], above[right + c], below[left + c],
                                    below[right + c]};
        to[c] = code(corners, rows, columns);
      }
    }
    store_codes(out.type, codes, out.row_codes(), out.row(y));
  }

 private:
  // corners: above left, above right, below left, below right.
  int32_t code(const int32_t* corners, const Between& rows, const Between& columns) const {
    switch (resize_.form) {
      case ResizeForm::integer:
        return from_integers(corners, rows, columns);
      case ResizeForm::f32_codes:
        return from_codes(corners, rows, columns);
      case ResizeForm::f32_shares:
        return from_shares(corners, rows, columns);
      case ResizeForm::f32_reals:
        break;
    }
    return from_reals(corners, rows, columns);
  }

  int32_t from_integers(const int32_t* x, const Between& rows, const Between& columns) const {
    const int64_t unit = int64_t{1} << resize_.bits;
    const int64_t top = x[0] * (unit - columns.weight) + x[1] * int64_t{columns.weight};
    const int64_t bottom = x[2] * (unit - columns.weight) + x[3] * int64_t{columns.weight};
    const int64_t sum = top * (unit - rows.weight) + bottom * rows.weight;
    return static_cast<int32_t>(round_shift<int64_t>(sum, 2 * resize_.bits, resize_.rule));
  }

  int32_t from_codes(const int32_t* x, const Between& rows, const Between& columns) const {
    const float top_left = static_cast<float>(x[0]) * rows.first_weight * columns.first_weight;
    const float bottom_left = static_cast<float>(x[2]) * rows.second_weight * columns.first_weight;
    const float top_right = static_cast<float>(x[1]) * rows.first_weight * columns.second_weight;
    const float bottom_right =
        static_cast<float>(x[3]) * rows.second_weight * columns.second_weight;
    const float sum = top_left + bottom_left + top_right + bottom_right;
    return within_type(std::trunc(sum + 0.5f));
  }

  int32_t from_shares(const int32_t* x, const Between& rows, const Between& columns) const {
    const float codes[4] = {static_cast<float>(x[0]), static_cast<float>(x[1]),
                            static_cast<float>(x[2]), static_cast<float>(x[3])};
    return within_type(std::trunc(sum_of_shares(codes, rows, columns) + 0.5f));
  }

  static float sum_of_shares(const float* x, const Between& rows, const Between& columns) {
    return columns.first_weight * rows.first_weight * x[0] +
           columns.second_weight * rows.first_weight * x[1] +
           columns.first_weight * rows.second_weight * x[2] +
           columns.second_weight * rows.second_weight * x[3];
  }

  int32_t from_reals(const int32_t* x, const Between& rows, const Between& columns) const {
    const float reals[4] = {real(x[0]), real(x[1]), real(x[2]), real(x[3])};
    const float sum = sum_of_shares(reals, rows, columns);
    const float steps = std::nearbyint(sum / resize_.scale_out);
    return within_type(steps + static_cast<float>(out_.zero_point));
  }

  float real(int32_t code) const {
    return static_cast<float>(code - in_.zero_point) * resize_.scale_in;
  }

  // Beyond the type's limits the sum of steps and zero point need not be exact.
  int32_t within_type(float code) const {
    const auto least = static_cast<float>(program::least_code(out_.type));
    const auto greatest = static_cast<float>(program::greatest_code(out_.type));
    return static_cast<int32_t>(std::min(std::max(code, least), greatest));
  }

  program::Resize resize_;
  Tensor in_, out_;
};

}  // namespace

std::unique_ptr<RowKernel> make_resize_ref(const program::Resize& resize, const Tensor& input,
                                           const Tensor& output) {
  if (resize.form == ResizeForm::integer && resize.bits == 0) {
    return std::make_unique<ResizeCopy>(resize);
  }
  return std::make_unique<ResizeRef>(resize, input, output);
}

}  // namespace lastbit
