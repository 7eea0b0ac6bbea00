// SPDX-License-Identifier: Apache-2.0
#include "kernels/pool/pool_ref.h"

#include <algorithm>

#include "numeric/saturate.h"

namespace lastbit {
namespace {

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

// Folds every code of each window of output row y into running[x * channels + c]; returns the rows
// that the windows share.
template <class Fold>
Span fold_windows(const Window& w, const Image& in, const Image& out, int32_t y, const Rows& rows,
                  Fold fold) {
  const auto channels = static_cast<size_t>(in.channels);
  const Span lines = inside(y, w.stride_h, w.pads.top, w.kernel_h, in.height);
  for (int32_t iy = lines.begin; iy < lines.end; ++iy) {
    load_codes(in.type, in.row(iy), in.row_codes(), rows.in);
    for (int32_t x = 0; x < out.width; ++x) {
      const Span columns = columns_of(w, in, x);
      int64_t* running = rows.running + static_cast<size_t>(x) * channels;
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

}  // namespace

size_t pool_scratch_bytes(const program::Tensor& input, const program::Tensor& output) {
  const auto row = [](const program::Tensor& t) {
    return static_cast<size_t>(t.width) * static_cast<size_t>(t.channels);
  };
  return padded(row(output) * 8) + padded(row(input) * 4) + padded(row(output) * 4);
}

void average_pool_ref(const AveragePool& pool, const Finish& finish, int32_t zero_point,
                      const Image& in, const Image& out, int32_t y, uint8_t* scratch) {
  const Rows rows(in, out, scratch);
  const auto channels = static_cast<size_t>(in.channels);
  const int32_t take = pool.divide ? 0 : zero_point;
  std::fill_n(rows.running, out.row_codes(), 0);
  const Span lines = fold_windows(pool.window, in, out, y, rows,
                                  [take](int64_t sum, int32_t code) { return sum + code - take; });
  for (int32_t x = 0; x < out.width; ++x) {
    const int64_t n = int64_t{lines.size()} * columns_of(pool.window, in, x).size();
    for (size_t c = 0; c < channels; ++c) {
      const size_t i = static_cast<size_t>(x) * channels + c;
      if (pool.divide) {
        rows.out[i] = static_cast<int32_t>(clamp_to<int64_t>(divide(rows.running[i], n, pool.rule),
                                                             of_channel(pool.clamp.lo, c),
                                                             of_channel(pool.clamp.hi, c)));
      } else {
        rows.out[i] = finish.one(rows.running[i], c);
      }
    }
  }
  store_codes(out.type, rows.out, out.row_codes(), out.row(y));
}

void max_pool_ref(const program::MaxPool& pool, const Image& in, const Image& out, int32_t y,
                  uint8_t* scratch) {
  const Rows rows(in, out, scratch);
  const auto channels = static_cast<size_t>(in.channels);
  std::fill_n(rows.running, out.row_codes(), INT64_MIN);
  fold_windows(pool.window, in, out, y, rows,
               [](int64_t best, int32_t code) { return std::max<int64_t>(best, code); });
  for (size_t i = 0; i < out.row_codes(); ++i) {
    const size_t c = i % channels;
    rows.out[i] = static_cast<int32_t>(clamp_to<int64_t>(
        rows.running[i], of_channel(pool.clamp.lo, c), of_channel(pool.clamp.hi, c)));
  }
  store_codes(out.type, rows.out, out.row_codes(), out.row(y));
}

}  // namespace lastbit
