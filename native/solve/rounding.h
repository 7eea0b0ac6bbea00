// SPDX-License-Identifier: Apache-2.0
// Chooses the integer weights of a convolution, and its scales where they are free, so that the
// layer reproduces the float network's output from the quantized network's inputs. Channels are
// independent but for a shared scale, so the result does not depend on the number of threads.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lastbit::solve {

struct Layer {
  size_t outputs, terms, groups;
  const float* weights;      // [outputs][terms], real
  const double* covariance;  // [groups][terms][terms], as in Gram
  const double* cross;       // [groups][terms real][terms quantized], or null for the covariance
};

// real = scale * (code - zero point); one scale, or one per output.
struct Grid {
  std::vector<float> scales;
  std::vector<int32_t> zero_points;
  int32_t least, greatest;
};

enum class Method {
  nearest,  // no search: what the others start from
  descent,
  in_order,  // GPTQ, then descent
  learned,   // AdaRound's objective, then descent
};

struct RoundingOptions {
  Method method = Method::in_order;
  double damping = 0.01;
  int32_t sweeps = 20;
  int32_t iterations = 250;         // of `learned`
  std::vector<double> ratios;       // scales to try, as multiples of the grid's; empty: 1
  std::vector<float> least_scales;  // per output; empty: none
  bool refit = false;               // a channel's scale may take any value
  int32_t threads = 1;
};

struct Rounded {
  std::vector<int32_t> codes;  // [outputs][terms]
  std::vector<float> scales;
  // Sums over all outputs of the cost of quadratic.h, for rounding to nearest on the given grid and
  // for the result.
  double before = 0, after = 0;
};

Rounded round_weights(const Layer& layer, const Grid& grid, const RoundingOptions& options);

}  // namespace lastbit::solve
