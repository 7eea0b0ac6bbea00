// SPDX-License-Identifier: Apache-2.0
#include "solve/search.h"

#include <algorithm>
#include <cmath>

#include "solve/lanes.h"

namespace lastbit::solve {
namespace {

double to_step(double real, const Steps& steps, size_t lane) {
  // The default rounding mode: ties to even. Beyond 2^52 doubles are integers, so adding 1.5 * 2^52
  // and taking it away rounds; bounds are integers, so clamping first changes nothing.
  constexpr double magic = 6755399441055744.0;
  const double step = std::clamp(real / steps.scale[lane], steps.least[lane], steps.greatest[lane]);
  return (step + magic) - magic;
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
  const LaneLoops& loops = lane_loops();
  Block centres = target;
  for (size_t j = n; j-- > 0;) {
    // Rows whose number counts from a multiple of four get what is rounded already in one walk, and
    // the rest of their own four row by row.
    const size_t first = j / rows_at_once * rows_at_once;
    const size_t end = first + rows_at_once;
    if (j + 1 == end && end < n) {
      loops.four_rows(&q.row_quotient[first * n + end], n, &rest[end * lanes], n - end,
                      &centres[first * lanes]);
    }
    double* centre = &centres[j * lanes];
    const size_t known = std::min(end, n) - (j + 1);
    if (known > 0) {
      loops.one_row(&q.row_quotient[j * n + j + 1], &rest[(j + 1) * lanes], known, centre);
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
  const LaneLoops& loops = lane_loops();
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
      loops.add_outer(&q.hessian[j * n], move, n, gradient.data());
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
