// SPDX-License-Identifier: Apache-2.0
// The learned exponent. TQT: Jain, Gural, Wu and Dick 2020, arXiv 1903.08066, with the changes of
// Bae et al. 2022.
//
//   minimize over real e_r   E(e) / sum omega w^2,   e = ceil(e_r), rint(e_r), or the neighbour of lower E
//
//   1. e_r = log2(3 sigma_w / max code).
//   2. 150 times: e_r <- e_r + Adam(dE/de_r), rate 0.05 falling to 0, with e straight through rounding and
//        dw'/de_r = ln 2 x 2^e (rint(w / 2^e) - w / 2^e)   inside the codes,
//                   ln 2 x 2^e x min or max code           where clipped.
import { Adam } from '../adam.js';
import { clampInteger, roundHalfEven } from '../codes/scales.js';
import type { Solution } from './msqe.js';
import { deviation, largest, squaredError, type Po2Problem } from './problem.js';
import { StableExponent } from './stable.js';

/** How the learned real exponent becomes an integer. */
export type ExponentRounding = 'ceil' | 'rint' | 'msqe';

/** Variants of the learned exponent (settings.ts). */
export interface GradientOptions {
  readonly rounding: ExponentRounding;
  /** Weights beyond the last code plus a half give no gradient. */
  readonly maskOutliers: boolean;
  /** The exponent is averaged over the steps, and frozen for the last half of them. */
  readonly stable: boolean;
  readonly steps?: number;
}

/** Of Adam on the exponent; shrinks to zero. */
const firstRate = 0.05;

/**
 * Learns a real exponent by gradient descent on the reconstruction error of a layer,
 * sum of importance x (w' - w)^2 with second moments of the input as importance. Rounding is passed
 * straight through; the gradient of w' by the exponent is ln 2 x s x (rint(w / s) - w / s) inside
 * the codes and ln 2 x s x code where clipped (TQT; Jain et al. 2020).
 */
export function learnExponent(problem: Po2Problem, options: GradientOptions): Solution {
  const { steps = 150 } = options;
  const { weights, maxCode } = problem;
  // Three deviations; for the rare tensor whose deviation is 0, its size.
  const reach = 3 * deviation(weights) || largest(weights);
  let real = Math.log2(reach / maxCode);
  const trace: number[] = [];
  const stable = new StableExponent();
  const adam = new Adam(1);
  for (let step = 0; step < steps; step++) {
    const rounded = roundExponent(problem, real, options.rounding);
    if (step === steps >> 1) stable.freeze();
    const exponent = options.stable ? stable.next(rounded) : rounded;
    trace.push(exponent);
    const slope = gradient(problem, real, exponent, options.maskOutliers);
    const [by] = adam.step(Float64Array.of(slope), firstRate * (1 - step / steps));
    real += by!;
  }
  const last = roundExponent(problem, real, options.rounding);
  const exponent = options.stable ? stable.next(last) : last;
  return { exponent, trace: [...trace, exponent] };
}

/** `msqe` takes the neighbour of lower error, of equal ones the upper. */
export function roundExponent(
  problem: Po2Problem,
  real: number,
  rounding: ExponentRounding,
): number {
  if (rounding === 'rint') return roundHalfEven(real);
  const upper = Math.ceil(real);
  if (rounding === 'ceil') return upper;
  const lower = Math.floor(real);
  return squaredError(problem, lower) < squaredError(problem, upper) ? lower : upper;
}

/** d/d(exponent) of the error, as a share of the weights' own energy. */
export function gradient(
  problem: Po2Problem,
  real: number,
  exponent: number,
  maskOutliers: boolean,
): number {
  const { weights, importance, minCode, maxCode } = problem;
  const scale = 2 ** exponent;
  const limit = maskOutliers ? 2 ** real * (maxCode + 0.5) : Infinity;
  let [sum, energy] = [0, 0];
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i]!;
    const omega = importance === undefined ? 1 : importance[i]!;
    energy += omega * weight * weight;
    if (Math.abs(weight) > limit) continue;
    const rounded = roundHalfEven(weight / scale);
    const code = clampInteger(rounded, minCode, maxCode);
    const error = scale * code - weight;
    const response = rounded === code ? code - weight / scale : code;
    sum += 2 * omega * error * Math.LN2 * scale * response;
  }
  return energy === 0 ? 0 : sum / energy;
}
