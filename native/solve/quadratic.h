// SPDX-License-Identifier: Apache-2.0
// The cost of a group's weights: for the real weights w' of an output channel,
//   cost(w') = (w' - t)^T H (w' - t),
// the part of E|w'x' + b' - wx - b|^2 that the choice of w' decides once the bias makes the means
// equal. H is the damped covariance of the quantized inputs x', and t = H^-1 (cross^T w + damping
// w) are the real weights that reproduce the float network's output best from them. The damping
// pulls t towards w and makes H definite, also where an input never varies.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lastbit::solve {

// Channels that are solved side by side, one to a lane; lanes do not influence each other.
constexpr size_t lanes = 8;

// [terms][lanes]
using Block = std::vector<double>;

struct Quadratic {
  size_t terms = 0;
  double damping = 0;                // what was added to the diagonal
  std::vector<size_t> order;         // from place in H to term: by rising variance
  std::vector<double> hessian;       // H, [terms][terms]
  std::vector<double> factor;        // upper R with H = R^T R
  std::vector<double> row_quotient;  // R[j][k] / R[j][j]
};

// covariance: [terms][terms]. damping: a share of the mean variance. An input without any variance
// makes H the identity.
Quadratic make_quadratic(const double* covariance, size_t terms, double damping);

// Solves for t, lane by lane. weights[lane]: the channel's real weights [terms], or null for an
// unused lane (t = 0). cross: [terms real][terms quantized], or null where it equals the
// covariance: then t = w.
Block solve_target(const Quadratic& q, const double* cross, const float* const weights[lanes]);

// gradient = H * difference, both [terms][lanes].
Block times_hessian(const Quadratic& q, const Block& difference);

// difference^T H difference by lane, into costs[lanes].
void cost_of(const Quadratic& q, const Block& difference, double* costs);

}  // namespace lastbit::solve
