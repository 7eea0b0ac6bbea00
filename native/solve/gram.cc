// SPDX-License-Identifier: Apache-2.0
#include "solve/gram.h"

#include <algorithm>
#include <numeric>

#include "cpu.h"

namespace lastbit::solve {
namespace {

// Positions whose products are summed in float32.
constexpr size_t chunk = 256;
// Below this many terms of a group the products are summed one by one: depthwise filters.
constexpr int32_t few_terms = 32;

GramTile pick_tile() {
#ifdef __x86_64__
  if ((cpu::detect() & cpu::avx2) != 0) return gram_tile_avx2;
#endif
  return gram_tile_ref;
}

size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

// Row-major [terms][stride], the upper triangle of blocks filled.
void mirror(std::vector<double>& square, size_t terms) {
  for (size_t i = 0; i < terms; ++i) {
    for (size_t j = 0; j < i; ++j) square[i * terms + j] = square[j * terms + i];
  }
}

// Sums of all images [images][terms] as one mean [terms].
std::vector<double> mean_of(const std::vector<double>& sums, size_t terms, double inverse) {
  std::vector<double> mean(terms);
  for (size_t i = 0; i < sums.size(); ++i) mean[i % terms] += sums[i];
  for (double& value : mean) value *= inverse;
  return mean;
}

std::vector<double> image_means(std::vector<double> sums, const std::vector<size_t>& counts) {
  for (size_t i = 0; i < sums.size(); ++i) {
    const size_t count = counts[i / (sums.size() / counts.size())];
    if (count > 0) sums[i] /= static_cast<double>(count);
  }
  return sums;
}

}  // namespace

void gram_tile_ref(const float* a, const float* b, size_t row, size_t count, double* out,
                   size_t stride)
#include "solve/gram_tile.inc"

    GramSum::GramSum(const Geometry& geometry, int32_t threads, bool cross)
    : geometry_(geometry), pool_(threads), wants_cross_(cross) {
  const size_t terms = static_cast<size_t>(geometry.terms());
  const size_t groups = static_cast<size_t>(geometry.groups);
  const bool dense = geometry.terms() >= few_terms;
  const size_t stride = dense ? round_up(terms, tile_columns) : terms;
  squares_.assign(groups * stride * stride, 0);
  if (cross) cross_.assign(groups * stride * stride, 0);
}

void GramSum::gather(const float* image, int32_t group, int32_t position, float* patch) const {
  const Geometry& g = geometry_;
  const int32_t per_group = g.channels / g.groups;
  const int32_t top = position / g.out_w * g.stride_h - g.pad_top;
  const int32_t left = position % g.out_w * g.stride_w - g.pad_left;
  for (int32_t c = 0; c < per_group; ++c) {
    const float* plane = image + static_cast<size_t>(group * per_group + c) *
                                     static_cast<size_t>(g.height) * static_cast<size_t>(g.width);
    for (int32_t i = 0; i < g.kernel_h; ++i) {
      const int32_t y = top + i * g.dilation_h;
      for (int32_t j = 0; j < g.kernel_w; ++j) {
        const int32_t x = left + j * g.dilation_w;
        const bool inside = y >= 0 && y < g.height && x >= 0 && x < g.width;
        *patch++ = inside ? plane[y * g.width + x] : 0.0f;
      }
    }
  }
}

void GramSum::add(const float* quantized, const float* real, const int32_t* positions,
                  size_t count) {
  const size_t sums = static_cast<size_t>(geometry_.groups * geometry_.terms());
  sum_quantized_.resize(sum_quantized_.size() + sums, 0);
  sum_real_.resize(sum_real_.size() + sums, 0);
  counts_.push_back(count);
  if (geometry_.terms() >= few_terms) {
    for (size_t first = 0; first < count; first += chunk) {
      add_dense(quantized, real, positions + first, std::min(chunk, count - first));
    }
  } else {
    pool_.run(geometry_.groups,
              [&](int32_t group, int32_t) { add_small(quantized, real, positions, count, group); });
  }
}

void GramSum::add_small(const float* quantized, const float* real, const int32_t* positions,
                        size_t count, int32_t group) {
  const size_t terms = static_cast<size_t>(geometry_.terms());
  const size_t at = static_cast<size_t>(group);
  double* squares = squares_.data() + at * terms * terms;
  double* cross = wants_cross_ ? cross_.data() + at * terms * terms : nullptr;
  double* sum_q = image_sums(sum_quantized_) + at * terms;
  double* sum_r = image_sums(sum_real_) + at * terms;
  float q[few_terms];
  float r[few_terms];
  for (size_t p = 0; p < count; ++p) {
    gather(quantized, group, positions[p], q);
    gather(real, group, positions[p], r);
    for (size_t i = 0; i < terms; ++i) {
      const double qi = static_cast<double>(q[i]);
      const double ri = static_cast<double>(r[i]);
      sum_q[i] += qi;
      sum_r[i] += ri;
      for (size_t j = 0; j < terms; ++j) squares[i * terms + j] += qi * static_cast<double>(q[j]);
      if (cross == nullptr) continue;
      for (size_t j = 0; j < terms; ++j) cross[i * terms + j] += ri * static_cast<double>(q[j]);
    }
  }
}

void GramSum::add_dense(const float* quantized, const float* real, const int32_t* positions,
                        size_t count) {
  const size_t terms = static_cast<size_t>(geometry_.terms());
  const size_t stride = round_up(terms, tile_columns);
  const GramTile tile = pick_tile();
  std::vector<float> q(chunk * stride);
  std::vector<float> r(chunk * stride);
  for (int32_t group = 0; group < geometry_.groups; ++group) {
    for (size_t p = 0; p < count; ++p) {
      gather(quantized, group, positions[p], q.data() + p * stride);
      gather(real, group, positions[p], r.data() + p * stride);
    }
    const size_t at = static_cast<size_t>(group);
    double* squares = squares_.data() + at * stride * stride;
    double* cross = wants_cross_ ? cross_.data() + at * stride * stride : nullptr;
    pool_.run(static_cast<int32_t>(stride / tile_columns), [&](int32_t band, int32_t) {
      const size_t first = static_cast<size_t>(band) * tile_columns;
      for (size_t i = first; i < first + tile_columns; i += tile_rows) {
        for (size_t j = 0; j < stride; j += tile_columns) {
          const size_t out = i * stride + j;
          if (j >= first) tile(q.data() + i, q.data() + j, stride, count, squares + out, stride);
          if (cross != nullptr) {
            tile(r.data() + i, q.data() + j, stride, count, cross + out, stride);
          }
        }
      }
    });
    double* sum_q = image_sums(sum_quantized_) + at * terms;
    double* sum_r = image_sums(sum_real_) + at * terms;
    for (size_t p = 0; p < count; ++p) {
      for (size_t i = 0; i < terms; ++i) {
        sum_q[i] += static_cast<double>(q[p * stride + i]);
        sum_r[i] += static_cast<double>(r[p * stride + i]);
      }
    }
  }
}

double* GramSum::image_sums(std::vector<double>& sums) {
  return sums.data() + sums.size() - static_cast<size_t>(geometry_.groups * geometry_.terms());
}

Gram GramSum::result() const {
  const size_t terms = static_cast<size_t>(geometry_.terms());
  const size_t groups = static_cast<size_t>(geometry_.groups);
  const size_t stride = geometry_.terms() >= few_terms ? round_up(terms, tile_columns) : terms;
  Gram gram;
  gram.count = static_cast<double>(std::accumulate(counts_.begin(), counts_.end(), size_t{0}));
  const double inverse = gram.count > 0 ? 1 / gram.count : 0;
  gram.covariance.resize(groups * terms * terms);
  if (wants_cross_) gram.cross.resize(groups * terms * terms);
  gram.mean_quantized = mean_of(sum_quantized_, groups * terms, inverse);
  const std::vector<double> mean_real = mean_of(sum_real_, groups * terms, inverse);
  gram.image_quantized = image_means(sum_quantized_, counts_);
  gram.image_real = image_means(sum_real_, counts_);
  for (size_t g = 0; g < groups; ++g) {
    const double* mean_q = gram.mean_quantized.data() + g * terms;
    const double* mean_r = mean_real.data() + g * terms;
    std::vector<double> covariance(terms * terms);
    for (size_t i = 0; i < terms; ++i) {
      for (size_t j = 0; j < terms; ++j) {
        const size_t from = (g * stride + i) * stride + j;
        covariance[i * terms + j] = squares_[from] * inverse - mean_q[i] * mean_q[j];
        if (!wants_cross_) continue;
        gram.cross[(g * terms + i) * terms + j] = cross_[from] * inverse - mean_r[i] * mean_q[j];
      }
    }
    mirror(covariance, terms);
    std::copy(covariance.begin(), covariance.end(),
              gram.covariance.begin() + static_cast<std::ptrdiff_t>(g * terms * terms));
  }
  return gram;
}

}  // namespace lastbit::solve
