// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "solve/search.h"

namespace lastbit::solve {
namespace {

// The stretched sigmoid's ends lie beyond 0 and 1, so that a mask can reach them.
constexpr double stretch = 1.2, offset = -0.1;

// Adam's usual constants.
constexpr double rate = 0.05, decay_mean = 0.9, decay_square = 0.999, tiny = 1e-12;

double sigmoid(double v) { return 1 / (1 + std::exp(-v)); }
double mask_of(double sigmoid) { return std::clamp(stretch * sigmoid + offset, 0.0, 1.0); }

// Derivative of the regularizer 1 - |2h - 1|^beta.
double regularizer_slope(double h, double beta) {
  const double from_half = 2 * h - 1;
  const double size = std::pow(std::abs(from_half), beta - 1);
  return from_half > 0 ? -2 * beta * size : 2 * beta * size;
}

}  // namespace

Block round_learned(const Quadratic& q, const Block& target, const Block& start, const Steps& steps,
                    int32_t iterations) {
  const size_t size = start.size();
  Block down(size), v(size), share(size), mean(size), square(size), real(size);
  double mean_curvature = 0;
  for (size_t j = 0; j < q.terms; ++j) mean_curvature += q.hessian[j * q.terms + j];
  mean_curvature =
      std::max(mean_curvature / static_cast<double>(std::max<size_t>(q.terms, 1)), tiny);
  for (size_t i = 0; i < size; ++i) {
    const double in_steps = start[i] / steps.scale[i % lanes];
    down[i] = std::floor(in_steps);
    share[i] = std::clamp((in_steps - down[i] - offset) / stretch, 0.01, 0.99);
    v[i] = std::log(share[i] / (1 - share[i]));
  }
  for (int32_t at = 0; at < iterations; ++at) {
    const double progress = static_cast<double>(at) / iterations;
    // Rounding is free for a fifth of the time, then enforced ever harder (beta 20 to 2).
    const double weight = progress < 0.2 ? 0 : 0.05;
    const double beta = 2 + 18 * (1 - progress);
    const double mean_share = 1 - std::pow(decay_mean, at + 1);
    const double square_share = 1 - std::pow(decay_square, at + 1);
    for (size_t i = 0; i < size; ++i) {
      real[i] = steps.scale[i % lanes] * (down[i] + mask_of(share[i])) - target[i];
    }
    const Block gradient = times_hessian(q, real);
    for (size_t i = 0; i < size; ++i) {
      const double s = share[i];
      const double h = mask_of(s);
      // The cost in steps of the mean curvature, so that one weight of the regularizer fits all
      // layers.
      const double scale = steps.scale[i % lanes];
      double g = 0;
      if (h > 0 && h < 1) {
        double slope = 2 * gradient[i] / (mean_curvature * scale);
        if (weight > 0) slope += weight * regularizer_slope(h, beta);
        g = slope * stretch * s * (1 - s);
      }
      mean[i] = decay_mean * mean[i] + (1 - decay_mean) * g;
      square[i] = decay_square * square[i] + (1 - decay_square) * g * g;
      const double mean_now = mean[i] / mean_share;
      const double square_now = square[i] / square_share;
      v[i] -= rate * mean_now / (std::sqrt(square_now) + tiny);
      share[i] = sigmoid(v[i]);
    }
  }
  Block u(size);
  for (size_t i = 0; i < size; ++i) {
    const size_t lane = i % lanes;
    u[i] = std::clamp(down[i] + (mask_of(share[i]) >= 0.5 ? 1 : 0), steps.least[lane],
                      steps.greatest[lane]);
  }
  return u;
}

}  // namespace lastbit::solve
