// SPDX-License-Identifier: Apache-2.0
#include "solve/quadratic.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "solve/lanes.h"

namespace lastbit::solve {
namespace {

// R upper with H = R^T R, row by row; false where H is not definite to working precision.
bool factorize(std::vector<double>& r, size_t n) {
  for (size_t j = 0; j < n; ++j) {
    const double pivot = r[j * n + j];
    if (!(pivot > 0)) return false;
    const double root = std::sqrt(pivot);
    for (size_t k = j; k < n; ++k) r[j * n + k] /= root;
    for (size_t i = j + 1; i < n; ++i) {
      const double factor = r[j * n + i];
      if (factor == 0) continue;
      for (size_t k = i; k < n; ++k) r[i * n + k] -= factor * r[j * n + k];
    }
  }
  return true;
}

double mean_diagonal(const double* covariance, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; ++i) sum += std::max(0.0, covariance[i * n + i]);
  return n == 0 ? 0 : sum / static_cast<double>(n);
}

// The weights themselves, [terms][lanes].
Block in_order_of(const Quadratic& q, const float* const weights[lanes]) {
  Block t(q.terms * lanes);
  for (size_t j = 0; j < q.terms; ++j) {
    for (size_t r = 0; r < lanes; ++r) {
      if (weights[r] != nullptr) t[j * lanes + r] = static_cast<double>(weights[r][q.order[j]]);
    }
  }
  return t;
}

}  // namespace

Quadratic make_quadratic(const double* covariance, size_t n, double damping) {
  Quadratic q;
  q.terms = n;
  q.order.resize(n);
  std::iota(q.order.begin(), q.order.end(), size_t{0});
  std::stable_sort(q.order.begin(), q.order.end(), [&](size_t a, size_t b) {
    return covariance[a * n + a] < covariance[b * n + b];
  });
  const double mean = mean_diagonal(covariance, n);
  q.damping = mean > 0 ? damping * mean : 1;
  for (;;) {
    q.hessian.assign(n * n, 0);
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < n && mean > 0; ++j) {
        q.hessian[i * n + j] = covariance[q.order[i] * n + q.order[j]];
      }
      q.hessian[i * n + i] = std::max(0.0, q.hessian[i * n + i]) + q.damping;
    }
    q.factor = q.hessian;
    if (factorize(q.factor, n)) break;
    q.damping = std::max(q.damping * 10, mean * 1e-6);  // float32 sums can leave it indefinite
  }
  q.row_quotient.assign(n * n, 0);
  for (size_t j = 0; j < n; ++j) {
    const double inverse = 1 / q.factor[j * n + j];
    for (size_t k = j + 1; k < n; ++k) q.row_quotient[j * n + k] = q.factor[j * n + k] * inverse;
  }
  return q;
}

Block solve_target(const Quadratic& q, const double* cross, const float* const weights[lanes]) {
  const size_t n = q.terms;
  if (cross == nullptr) return in_order_of(q, weights);
  Block moment(n * lanes);  // cross^T w, in the terms' own order
  Block t(n * lanes);
  for (size_t i = 0; i < n; ++i) {
    double w[lanes] = {};
    for (size_t r = 0; r < lanes; ++r) {
      if (weights[r] != nullptr) w[r] = static_cast<double>(weights[r][i]);
    }
    for (size_t j = 0; j < n; ++j) {
      const double c = cross[i * n + j];
      for (size_t r = 0; r < lanes; ++r) moment[j * lanes + r] += c * w[r];
    }
    for (size_t r = 0; r < lanes; ++r) moment[i * lanes + r] += q.damping * w[r];
  }
  for (size_t i = 0; i < n; ++i) {
    std::copy_n(moment.begin() + static_cast<std::ptrdiff_t>(q.order[i] * lanes), lanes,
                t.begin() + static_cast<std::ptrdiff_t>(i * lanes));
  }
  for (size_t j = 0; j < n; ++j) {  // R^T y = moment
    const double inverse = 1 / q.factor[j * n + j];
    for (size_t r = 0; r < lanes; ++r) t[j * lanes + r] *= inverse;
    for (size_t k = j + 1; k < n; ++k) {
      const double f = q.factor[j * n + k];
      for (size_t r = 0; r < lanes; ++r) t[k * lanes + r] -= f * t[j * lanes + r];
    }
  }
  for (size_t j = n; j-- > 0;) {  // R t = y
    double sum[lanes] = {};
    for (size_t k = j + 1; k < n; ++k) {
      const double f = q.factor[j * n + k];
      for (size_t r = 0; r < lanes; ++r) sum[r] += f * t[k * lanes + r];
    }
    const double inverse = 1 / q.factor[j * n + j];
    for (size_t r = 0; r < lanes; ++r) t[j * lanes + r] = (t[j * lanes + r] - sum[r]) * inverse;
  }
  return t;
}

Block times_hessian(const Quadratic& q, const Block& difference) {
  const size_t n = q.terms;
  const LaneLoops& loops = lane_loops();
  Block product(n * lanes);
  size_t j = 0;
  for (; j + rows_at_once <= n; j += rows_at_once) {
    loops.four_rows(&q.hessian[j * n], n, difference.data(), n, &product[j * lanes]);
  }
  for (; j < n; ++j) {
    loops.one_row(&q.hessian[j * n], difference.data(), n, &product[j * lanes]);
  }
  return product;
}

void cost_of(const Quadratic& q, const Block& difference, double* costs) {
  const Block gradient = times_hessian(q, difference);
  std::fill_n(costs, lanes, 0.0);
  for (size_t i = 0; i < gradient.size(); ++i) costs[i % lanes] += gradient[i] * difference[i];
}

}  // namespace lastbit::solve
