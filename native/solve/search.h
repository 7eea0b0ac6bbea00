// SPDX-License-Identifier: Apache-2.0
// Searches for integers u that make scale * u cheap under a Quadratic. Up to `lanes` channels at
// once.
#pragma once
#include "solve/quadratic.h"

namespace lastbit::solve {

// One to a lane: real weight = scale * u, least <= u <= greatest.
struct Steps {
  double scale[lanes];
  double least[lanes];
  double greatest[lanes];
};

// Each weight to its nearest step, ties to even.
Block round_nearest(const Block& real, const Steps& steps);

// Rounds one weight after the other and lets those that are left make good for its error (GPTQ,
// Frantar et al. 2023, which is Babai's nearest plane in the lattice of H): starts with the inputs
// of greatest variance. target: t. costs[lanes]: what the result costs.
Block round_in_order(const Quadratic& q, const Block& target, const Steps& steps, double* costs);

// Coordinate descent: moves single weights to the best step given all others until none gains, at
// most `sweeps` times over all of them. Never makes u dearer. costs[lanes]: what the result costs.
void descend(const Quadratic& q, const Block& target, const Steps& steps, int32_t sweeps, Block& u,
             double* costs);

// Most terms that round_exhaustive takes.
constexpr size_t exhaustive_terms = 10;

// The cheapest of the 2^terms ways to round each weight of t down or up. costs[lanes]: as above.
Block round_exhaustive(const Quadratic& q, const Block& target, const Steps& steps, double* costs);

// Gradient descent on the masks of AdaRound (Nagel et al. 2020): w' = scale (floor(w / scale) +
// h(v)), h a stretched sigmoid, cost plus a regularizer that drives h to 0 or 1; `start` are real
// weights.
Block round_learned(const Quadratic& q, const Block& target, const Block& start, const Steps& steps,
                    int32_t iterations);

// The scale by lane under which u costs least: t^T H u / u^T H u; 0 where u is 0.
void best_scales(const Quadratic& q, const Block& target, const Block& u, double* scales);

// scale * u - t
Block difference_of(const Block& u, const Block& target, const Steps& steps);

}  // namespace lastbit::solve
