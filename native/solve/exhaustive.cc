// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "solve/search.h"

namespace lastbit::solve {
namespace {

// One channel: walks through all patterns in Gray order, so that each differs from the last in one
// weight and costs one update.
class Walk {
 public:
  Walk(const Quadratic& q, const Block& target, const Steps& steps, size_t lane)
      : q_(q), scale_(steps.scale[lane]) {
    for (size_t j = 0; j < q.terms; ++j) {
      const double t = target[j * lanes + lane];
      const double down = std::floor(t / scale_);
      low_[j] = std::clamp(down, steps.least[lane], steps.greatest[lane]);
      high_[j] = std::clamp(down + 1, steps.least[lane], steps.greatest[lane]);
      now_[j] = low_[j];
      difference_[j] = scale_ * now_[j] - t;
    }
    for (size_t j = 0; j < q.terms; ++j) {
      for (size_t k = 0; k < q.terms; ++k) {
        gradient_[j] += q.hessian[j * q.terms + k] * difference_[k];
      }
      cost_ += gradient_[j] * difference_[j];
    }
  }

  // Writes the best pattern to u and returns its cost.
  double best(Block& u, size_t lane) {
    double least = cost_;
    keep(u, lane);
    for (uint32_t count = 1; count < 1u << q_.terms; ++count) {
      size_t bit = 0;
      while ((count >> bit & 1u) == 0) ++bit;
      flip(bit);
      if (cost_ >= least) continue;
      least = cost_;
      keep(u, lane);
    }
    return least;
  }

 private:
  void keep(Block& u, size_t lane) const {
    for (size_t j = 0; j < q_.terms; ++j) u[j * lanes + lane] = now_[j];
  }

  void flip(size_t j) {
    const double next = now_[j] == low_[j] ? high_[j] : low_[j];
    const double by = scale_ * (next - now_[j]);
    cost_ += by * (2 * gradient_[j] + q_.hessian[j * q_.terms + j] * by);
    for (size_t k = 0; k < q_.terms; ++k) gradient_[k] += q_.hessian[j * q_.terms + k] * by;
    now_[j] = next;
  }

  const Quadratic& q_;
  double scale_;
  double cost_ = 0;
  double low_[exhaustive_terms] = {};
  double high_[exhaustive_terms] = {};
  double now_[exhaustive_terms] = {};
  double difference_[exhaustive_terms] = {};
  double gradient_[exhaustive_terms] = {};
};

}  // namespace

Block round_exhaustive(const Quadratic& q, const Block& target, const Steps& steps, double* costs) {
  Block u(q.terms * lanes);
  for (size_t lane = 0; lane < lanes; ++lane) {
    costs[lane] = Walk(q, target, steps, lane).best(u, lane);
  }
  return u;
}

}  // namespace lastbit::solve
