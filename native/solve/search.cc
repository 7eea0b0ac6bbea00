// SPDX-License-Identifier: Apache-2.0
#include "solve/search.h"

#include <algorithm>
#include <cmath>

namespace lastbit::solve {
namespace {

double to_step(double real, const Steps& steps, size_t lane) {
  // The default rounding mode: ties to even.
  return std::clamp(std::nearbyint(real / steps.scale[lane]), steps.least[lane],
                    steps.greatest[lane]);
}

// A gain must exceed this share of the cost's own terms, so that rounding errors end no descent
// late.
constexpr double least_gain = 1e-12;

}  // namespace

Block round_nearest(const Block& real, const Steps& steps) {
  Block u(real.size());
  for (size_t i = 0; i < real.size(); ++i) u[i] = to_step(real[i], steps, i % lanes);
  return u;
}

Block difference_of(const Block& u, const Block& target, const Steps& steps) {
  Block difference(u.size());
  for (size_t i = 0; i < u.size(); ++i) difference[i] = steps.scale[i % lanes] * u[i] - target[i];
  return difference;
}

Block round_in_order(const Quadratic& q, const Block& target, const Steps& steps, double* costs) {
  const size_t n = q.terms;
  Block u(n * lanes);
  Block rest(n * lanes);  // t - scale * u of the weights already rounded
  std::fill_n(costs, lanes, 0.0);
  for (size_t j = n; j-- > 0;) {
    double centre[lanes];
    std::copy_n(target.begin() + static_cast<std::ptrdiff_t>(j * lanes), lanes, centre);
    const double* quotient = q.row_quotient.data() + j * n;
    for (size_t k = j + 1; k < n; ++k) {
      const double f = quotient[k];
      for (size_t r = 0; r < lanes; ++r) centre[r] += f * rest[k * lanes + r];
    }
    const double pivot = q.factor[j * n + j];
    for (size_t r = 0; r < lanes; ++r) {
      const double step = to_step(centre[r], steps, r);
      u[j * lanes + r] = step;
      rest[j * lanes + r] = target[j * lanes + r] - steps.scale[r] * step;
      const double miss = pivot * (centre[r] - steps.scale[r] * step);
      costs[r] += miss * miss;
    }
  }
  return u;
}

void descend(const Quadratic& q, const Block& target, const Steps& steps, int32_t sweeps, Block& u,
             double* costs) {
  const size_t n = q.terms;
  Block gradient = times_hessian(q, difference_of(u, target, steps));
  for (int32_t sweep = 0; sweep < sweeps; ++sweep) {
    bool moved = false;
    for (size_t j = n; j-- > 0;) {
      const double curvature = q.hessian[j * n + j];
      double move[lanes];
      bool any = false;
      for (size_t r = 0; r < lanes; ++r) {
        const double now = steps.scale[r] * u[j * lanes + r];
        const double step = to_step(now - gradient[j * lanes + r] / curvature, steps, r);
        const double by = steps.scale[r] * (step - u[j * lanes + r]);
        const double gain = -by * (2 * gradient[j * lanes + r] + curvature * by);
        const bool better = gain > least_gain * curvature * by * by;
        move[r] = better ? by : 0;
        if (better) u[j * lanes + r] = step;
        any = any || better;
      }
      if (!any) continue;
      moved = true;
      const double* row = q.hessian.data() + j * n;
      for (size_t k = 0; k < n; ++k) {
        for (size_t r = 0; r < lanes; ++r) gradient[k * lanes + r] += row[k] * move[r];
      }
    }
    if (!moved) break;
  }
  cost_of(q, difference_of(u, target, steps), costs);
}

void best_scales(const Quadratic& q, const Block& target, const Block& u, double* scales) {
  const Block product = times_hessian(q, u);
  double against[lanes] = {};
  double own[lanes] = {};
  for (size_t i = 0; i < u.size(); ++i) {
    against[i % lanes] += product[i] * target[i];
    own[i % lanes] += product[i] * u[i];
  }
  for (size_t r = 0; r < lanes; ++r) scales[r] = own[r] > 0 ? against[r] / own[r] : 0;
}

}  // namespace lastbit::solve
