// SPDX-License-Identifier: Apache-2.0
// Weights on a grid w' = 2^e clip(rint(w / 2^e), minCode, maxCode), after Bae, Zielinski and
// Chatterjee 2022 (arXiv 2210.03671; formulas from the authors' qkeras quantizers_po2.py).
import { clampInteger, roundHalfEven } from '../codes/scales.js';

/** The weights that share one exponent. */
export interface Po2Problem {
  readonly weights: Float32Array;
  /** What the squared error of each weight counts; absent: 1 each. */
  readonly importance?: Float64Array | undefined;
  /** Codes: -7 and 7 for 4 narrow bits. */
  readonly minCode: number;
  readonly maxCode: number;
}

/** What an exponent does to the weights. */
export interface Po2Quality {
  /** Mean squared quantization error, in squared weights. */
  readonly msqe: number;
  /** The same with importances, over their sum. */
  readonly weightedMsqe: number;
  /** Share of the weights beyond the last code. */
  readonly clippedShare: number;
}

/** The code of one weight at scale 2^e. */
export function codeOf(weight: number, scale: number, problem: Po2Problem): number {
  return clampInteger(roundHalfEven(weight / scale), problem.minCode, problem.maxCode);
}

/** Sum of importance x (w - w')^2. */
export function squaredError(problem: Po2Problem, exponent: number): number {
  const { weights, importance } = problem;
  const scale = 2 ** exponent;
  let sum = 0;
  for (let i = 0; i < weights.length; i++) {
    const error = weights[i]! - scale * codeOf(weights[i]!, scale, problem);
    sum += error * error * (importance === undefined ? 1 : importance[i]!);
  }
  return sum;
}

/** How good an exponent is, for reports. */
export function qualityOf(problem: Po2Problem, exponent: number): Po2Quality {
  const { weights, importance, minCode, maxCode } = problem;
  const scale = 2 ** exponent;
  let clipped = 0;
  for (const weight of weights) {
    const code = roundHalfEven(weight / scale);
    if (code < minCode || code > maxCode) clipped++;
  }
  const total = importance?.reduce((a, b) => a + b, 0) ?? weights.length;
  return {
    msqe: squaredError({ ...problem, importance: undefined }, exponent) / weights.length,
    weightedMsqe: total === 0 ? 0 : squaredError(problem, exponent) / total,
    clippedShare: clipped / weights.length,
  };
}

/** Largest magnitude among the weights. */
export function largest(weights: Float32Array): number {
  return weights.reduce((a, w) => Math.max(a, Math.abs(w)), 0);
}

/** Standard deviation about the mean. */
export function deviation(weights: Float32Array): number {
  const mean = weights.reduce((a, b) => a + b, 0) / weights.length;
  return Math.sqrt(weights.reduce((a, w) => a + (w - mean) ** 2, 0) / weights.length);
}
