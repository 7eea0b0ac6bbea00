// SPDX-License-Identifier: Apache-2.0
// Equalization as minimization of noise. Cross-layer equalization (Nagel et al. 2019, arXiv
// 1906.04721) scales channels between layers so that ranges become equal. Here the same freedom
// minimizes what quantization noise costs at the network's output, which also weighs activations
// and how much each channel matters. The model of the noise is in ../noise/.
//
// Symbols: l_c = ln t_c, the logarithm of the factor of channel c of a group (channel-groups.ts);
// out and in are the channels that a weight W_oi writes and reads; W_oi stands for its tap of
// largest magnitude.
//
//   minimize over l, within bounds:   N(l) = sum over layers N_W + sum over values N_x + sum of mismatches
//
//   weights, one scale per tensor   N_W = s^2 / 12 x sum over (o, i) of C_o t_o^-2 (T P_i t_i^2 + B)
//                                   s   = (max W_oi t_o / t_i + max -W_oi t_o / t_i) / (2^bits - 1)
//                                         (symmetric: 2 max |W_oi| t_o / t_i)
//   weights, one scale per channel  N_W = sum over o of s_o^2 / 12 x C_o t_o^-2 sum over i of T P_i t_i^2,
//                                   s_o = 2 t_o max over i of |W_oi| / t_i / (2^bits - 1): t_o cancels
//   values                          N_x = s^2 / 12 x sum over c of C_c t_c^-2,
//                                   s   = (max x_c t_c + max -x_c t_c) / 255
//
//   C cost of noise at the output per channel (noise/value-costs.ts), P_i power of input channel i,
//   T = KH x KW taps, B what a coarse bias adds. s^2 / 12 is the variance of an error that is uniform
//   over a step s. Maxima are smoothed to p-norms with p = 24 (smooth-max.ts), which are at least the
//   maximum and at most n^(1/24) times it for n entries; entries below 0.45 of the maximum are left out,
//   and looked for again every 8 evaluations.
//
//   1. l = 0.
//   2. For k = 0 ... iterations - 1: g = dN/dl, rate = 0.04 (1 - k / iterations)^2,
//      l <- project(l + Adam(g, rate)).
//   3. Return exp(l) of the smallest N seen; never worse than l = 0.
//
// What is convex. exp of a linear function of l is log-convex. Maxima, p-norms, sums with
// coefficients >= 0 and products of log-convex functions are log-convex again, and so convex.
// (Products of merely convex functions need not be.) N_W and N_x are made of nothing else, and
// bounds on l are a convex set: with one clamp per channel the problem is a geometric program, and
// a local minimum is the global one. This holds for the model with its coefficients as they stand
// at the start: C, P, the shares of values that pass a clamp and the ranges are measured once, at
// t = 1, and frozen. With one clamp per channel the shares do not depend on t either; with one per
// tensor they would, so freezing them is an approximation, which keeps the model convex. The
// mismatches of clamps (clamp-mismatch.ts) are not convex: each rises from l = 0 to both sides and
// levels off once all of the tail is wrong. With them Adam finds a local minimum near l = 0.
import { Adam } from '../adam.js';
import type { NoiseModel } from '../noise/noise-model.js';
import type { ChannelGroup } from './channel-groups.js';
import { mismatchTerm, type ClampMismatch } from './clamp-mismatch.js';
import type { NoiseOptions } from './noise-options.js';
import { noiseTerms } from './noise-terms.js';

/** Minimal and maximal logarithm of each factor of a group. */
export interface Bounds {
  readonly lower: Float64Array;
  readonly upper: Float64Array;
}

/**
 * Finds a factor above 0 for every channel of every group so that the modelled noise is minimal.
 *
 * @returns factors by group, [channels], and N at them / N at 1
 */
export function minimizeNoise(
  model: NoiseModel,
  mismatches: readonly ClampMismatch[],
  groups: readonly ChannelGroup[],
  bounds: readonly Bounds[],
  options: NoiseOptions,
): { readonly factors: Float64Array[]; readonly noiseRatio: number } {
  const terms = [...noiseTerms(model, groups, options), ...mismatches.map(mismatchTerm)];
  const logs = groups.map((group) => new Float64Array(group.channels));
  const gradient = groups.map((group) => new Float64Array(group.channels));
  const adam = groups.map((group) => new Adam(group.channels));
  const evaluate = (): number => {
    for (const part of gradient) part.fill(0);
    return terms.reduce((sum, term) => sum + term(logs, gradient), 0);
  };
  const before = evaluate();
  let best = before;
  let factors = logs.map((part) => part.slice());
  for (let step = 0; step < options.iterations; step++) {
    const rate = 0.04 * (1 - step / options.iterations) ** 2;
    // Relative to the total, so that the step does not depend on the network's units.
    adam.forEach((optimizer, g) => {
      moveWithin(bounds[g]!, logs[g]!, optimizer.step(gradient[g]!, rate));
    });
    const noise = evaluate();
    if (noise < best) {
      best = noise;
      factors = logs.map((part) => part.slice());
    }
  }
  return {
    factors: factors.map((part) => part.map((value) => Math.exp(value))),
    noiseRatio: before === 0 ? 1 : best / before,
  };
}

/** Projection on the bounds. */
function moveWithin({ lower, upper }: Bounds, logs: Float64Array, by: Float64Array): void {
  for (let c = 0; c < logs.length; c++) {
    logs[c] = Math.min(upper[c]!, Math.max(lower[c]!, logs[c]! + by[c]!));
  }
}
