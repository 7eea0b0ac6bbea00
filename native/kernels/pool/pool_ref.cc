// SPDX-License-Identifier: Apache-2.0
#include "kernels/pool/pool_ref.h"

#include <algorithm>

#include "numeric/saturate.h"

namespace lastbit {
namespace {

using program::AverageForm;
using program::AveragePool;
using program::DivideRule;
using program::of_channel;
using program::Window;

size_t padded(size_t bytes) { return (bytes + 63) / 64 * 64; }

// Positions of one axis that lie inside the image: [begin, end).
struct Span {
  int32_t begin, end;
  int32_t size() const { return end - begin; }
};

Span inside(int32_t at, int32_t stride, int32_t before, int32_t kernel, int32_t size) {
  const int64_t first = int64_t{at} * stride - before;
  return {static_cast<int32_t>(std::max<int64_t>(first, 0)),
          static_cast<int32_t>(std::min<int64_t>(first + kernel, size))};
}

Span columns_of(const Window& w, const Image& in, int32_t x) {
  return inside(x, w.stride_w, w.pads.left, w.kernel_w, in.width);
}

// Scratch: the running result of each output element of the row, one input row, one output row.
struct Rows {
  int64_t* running;
  int32_t* in;
  int32_t* out;

  Rows(const Image& input, const Image& output, uint8_t* scratch)
      : running(reinterpret_cast<int64_t*>(scratch)),
        in(reinterpret_cast<int32_t*>(scratch + padded(output.row_codes() * 8))),
        out(reinterpret_cast<int32_t*>(scratch + padded(output.row_codes() * 8) +
                                       padded(input.row_codes() * 4))) {}
};

// Folds every code of each window of output row y into results[x * channels + c], row by row;
// returns the rows that the windows share.
template <class Running, class Fold>
Span fold_windows(const Window& w, const Image& in, const Image& out, int32_t y, const Rows& rows,
                  Running* results, Fold fold) {
  const auto channels = static_cast<size_t>(in.channels);
  const Span lines = inside(y, w.stride_h, w.pads.top, w.kernel_h, in.height);
  for (int32_t iy = lines.begin; iy < lines.end; ++iy) {
    load_codes(in.type, in.row(iy), in.row_codes(), rows.in);
    for (int32_t x = 0; x < out.width; ++x) {
      const Span columns = columns_of(w, in, x);
      Running* running = results + static_cast<size_t>(x) * channels;
      for (int32_t ix = columns.begin; ix < columns.end; ++ix) {
        const int32_t* codes = rows.in + static_cast<size_t>(ix) * channels;
        for (size_t c = 0; c < channels; ++c) running[c] = fold(running[c], codes[c]);
      }
    }
  }
  return lines;
}

int64_t divide(int64_t sum, int64_t n, DivideRule rule) {
  switch (rule) {
    case DivideRule::half_up: {
      const int64_t v = sum + n / 2;
      return v / n - (v % n < 0 ? 1 : 0);  // floor
    }
    case DivideRule::half_away:
      return (sum > 0 ? sum + n / 2 : sum - n / 2) / n;
    case DivideRule::trunc0:
      break;
  }
  return sum / n;
}

int32_t clamped(const AveragePool& pool, int64_t code, size_t c) {
  return static_cast<int32_t>(
      clamp_to<int64_t>(code, of_channel(pool.clamp.lo, c), of_channel(pool.clamp.hi, c)));
}

struct SumOfCodes {
  int32_t zero_point;
  int64_t operator()(int64_t sum, int32_t code) const { return sum + code - zero_point; }
};

// Sums the windows of row y from 0 and finishes each sum with the number of its codes.
template <class Sum, class Add, class FinishSum>
void average(const AveragePool& pool, const Image& in, const Image& out, int32_t y,
             const Rows& rows, Sum* sums, Add add, FinishSum finish_sum) {
  const auto channels = static_cast<size_t>(in.channels);
  std::fill_n(sums, out.row_codes(), Sum{0});
  const Span lines = fold_windows(pool.window, in, out, y, rows, sums, add);
  for (int32_t x = 0; x < out.width; ++x) {
    const int64_t n = int64_t{lines.size()} * columns_of(pool.window, in, x).size();
    for (size_t c = 0; c < channels; ++c) {
      const size_t i = static_cast<size_t>(x) * channels + c;
      rows.out[i] = finish_sum(sums[i], n, c);
    }
  }
}

}  // namespace

size_t pool_scratch_bytes(const program::Tensor& input, const program::Tensor& output) {
  const auto row = [](const program::Tensor& t) {
    return static_cast<size_t>(t.width) * static_cast<size_t>(t.channels);
  };
  return padded(row(output) * 8) + padded(row(input) * 4) + padded(row(output) * 4);
}

void average_pool_ref(const AveragePool& pool, const Finish& finish, const program::Tensor& input,
                      const program::Tensor& output, const Image& in, const Image& out, int32_t y,
                      uint8_t* scratch) {
  const Rows rows(in, out, scratch);
  switch (pool.form) {
    case AverageForm::divide:
      average(pool, in, out, y, rows, rows.running, SumOfCodes{0},
              [&](int64_t sum, int64_t n, size_t c) {
                return clamped(pool, divide(sum, n, pool.rule), c);
              });
      break;
    case AverageForm::requant:
      average(pool, in, out, y, rows, rows.running, SumOfCodes{input.zero_point},
              [&](int64_t sum, int64_t, size_t c) { return finish.one(sum, c); });
      break;
    case AverageForm::f32_window:
      average(
          pool, in, out, y, rows, reinterpret_cast<float*>(rows.running),
          [&](float sum, int32_t code) {
            return sum + static_cast<float>(code - input.zero_point) * pool.scale_in;
          },
          [&](float sum, int64_t n, size_t c) {
            const float real = sum / static_cast<float>(n) / pool.scale_out;
            return clamped(pool, round_to_even(real + static_cast<float>(output.zero_point)), c);
          });
      break;
  }
  store_codes(out.type, rows.out, out.row_codes(), out.row(y));
}

void max_pool_ref(const program::MaxPool& pool, const Image& in, const Image& out, int32_t y,
                  uint8_t* scratch) {
  const Rows rows(in, out, scratch);
  const auto channels = static_cast<size_t>(in.channels);
  std::fill_n(rows.running, out.row_codes(), INT64_MIN);
  fold_windows(pool.window, in, out, y, rows, rows.running,
               [](int64_t best, int32_t code) { return std::max<int64_t>(best, code); });
  for (size_t i = 0; i < out.row_codes(); ++i) {
    const size_t c = i % channels;
    rows.out[i] = static_cast<int32_t>(clamp_to<int64_t>(
        rows.running[i], of_channel(pool.clamp.lo, c), of_channel(pool.clamp.hi, c)));
  }
  store_codes(out.type, rows.out, out.row_codes(), out.row(y));
}

namespace {

class AveragePoolRef final : public RowKernel {
 public:
  AveragePoolRef(const AveragePool& pool, const program::Tensor& input,
                 const program::Tensor& output)
      : pool_(pool),
        finish_(pool.requant, pool.clamp, output.zero_point),
        input_(input),
        output_(output) {}
  const char* name() const override { return "average_pool_ref"; }
  size_t scratch_bytes() const override { return pool_scratch_bytes(input_, output_); }
  void row(const OpImages& images, int32_t y, uint8_t* scratch) const override {
    average_pool_ref(pool_, finish_, input_, output_, *images.inputs[0], *images.output, y,
                     scratch);
  }

 private:
  AveragePool pool_;
  Finish finish_;
  program::Tensor input_, output_;
};

class MaxPoolRef final : public RowKernel {
 public:
  MaxPoolRef(const program::MaxPool& pool, const program::Tensor& input,
             const program::Tensor& output)
      : pool_(pool), scratch_bytes_(pool_scratch_bytes(input, output)) {}
  const char* name() const override { return "max_pool_ref"; }
  size_t scratch_bytes() const override { return scratch_bytes_; }
  void row(const OpImages& images, int32_t y, uint8_t* scratch) const override {
    max_pool_ref(pool_, *images.inputs[0], *images.output, y, scratch);
  }

 private:
  program::MaxPool pool_;
  size_t scratch_bytes_;
};

}  // namespace

std::unique_ptr<RowKernel> make_average_pool_ref(const AveragePool& pool,
                                                 const program::Tensor& input,
                                                 const program::Tensor& output) {
  return std::make_unique<AveragePoolRef>(pool, input, output);
}

std::unique_ptr<RowKernel> make_max_pool_ref(const program::MaxPool& pool,
                                             const program::Tensor& input,
                                             const program::Tensor& output) {
  return std::make_unique<MaxPoolRef>(pool, input, output);
}

}  // namespace lastbit
