// SPDX-License-Identifier: Apache-2.0
// Second-order statistics of what a convolution reads: for every group the covariance of the inputs
// that the quantized network feeds it, and their covariance with the float network's inputs at the
// same place. Sums are float32 over a chunk of positions and double beyond it. Each entry is summed
// in the order of the positions whatever the threads and the instruction set, so results repeat bit
// for bit.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "threads/thread_pool.h"

namespace lastbit::solve {

// A convolution's view of its input [channels, height, width].
struct Geometry {
  int32_t channels, height, width;
  int32_t kernel_h, kernel_w;
  int32_t stride_h, stride_w;
  int32_t pad_top, pad_left;
  int32_t dilation_h, dilation_w;
  int32_t out_h, out_w;
  int32_t groups;

  // Terms of one output: input channels of a group x taps.
  int32_t terms() const { return channels / groups * kernel_h * kernel_w; }
};

struct Gram {
  double count = 0;
  std::vector<double> covariance;      // [groups][terms][terms], of the quantized inputs
  std::vector<double> cross;           // [groups][terms real][terms quantized], or empty
  std::vector<double> mean_quantized;  // [groups][terms]
  // Means over the positions of each image, [images][groups][terms].
  std::vector<double> image_quantized, image_real;
};

class GramSum {
 public:
  // Without `cross`, the more expensive half, the sums with the real inputs are left out.
  GramSum(const Geometry& geometry, int32_t threads, bool cross = true);

  // Adds an image: both inputs are [channels][height][width]. `positions` are indices into the
  // output plane, each below out_h * out_w. Terms outside of the image are 0.
  void add(const float* quantized, const float* real, const int32_t* positions, size_t count);

  // Means and covariances of all that was added; zeros if nothing was.
  Gram result() const;

  const Geometry& geometry() const { return geometry_; }

 private:
  void add_dense(const float* quantized, const float* real, const int32_t* positions, size_t count);
  void add_small(const float* quantized, const float* real, const int32_t* positions, size_t count,
                 int32_t group);
  void gather(const float* image, int32_t group, int32_t position, float* patch) const;

  // The sums of the image that is being added.
  double* image_sums(std::vector<double>& sums);

  Geometry geometry_;
  threads::ThreadPool pool_;
  bool wants_cross_;
  std::vector<size_t> counts_;  // positions of each image
  std::vector<double> squares_, cross_;
  std::vector<double> sum_quantized_, sum_real_;  // [images][groups][terms]
};

// Columns of a chunk's patches come in multiples of this.
constexpr size_t tile_columns = 16;
constexpr size_t tile_rows = 4;

// out[i * stride + j] += sum over p < count of a[p * row + i] * b[p * row + j], for i < tile_rows
// and j < tile_columns.
using GramTile = void (*)(const float* a, const float* b, size_t row, size_t count, double* out,
                          size_t stride);

void gram_tile_ref(const float* a, const float* b, size_t row, size_t count, double* out,
                   size_t stride);
#ifdef __x86_64__
void gram_tile_avx2(const float* a, const float* b, size_t row, size_t count, double* out,
                    size_t stride);
#endif

}  // namespace lastbit::solve
