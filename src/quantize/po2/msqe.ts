// SPDX-License-Identifier: Apache-2.0
// Solvers that look for the exponent of minimal squared error. None may be called with zeros only.
import { roundHalfEven } from '../codes/scales.js';
import { codeOf, largest, squaredError, type Po2Problem } from './problem.js';

/** An exponent and the ones on the way to it, the first one included. */
export interface Solution {
  readonly exponent: number;
  readonly trace: readonly number[];
}

/** rint(log2(max |w| / maximal code)): the authors' start. It may clip up to 1 - 2^-1/2 of the range. */
export function maxExponent({ weights, maxCode }: Po2Problem): Solution {
  const exponent = roundHalfEven(Math.log2(largest(weights) / maxCode));
  return { exponent, trace: [exponent] };
}

/** Keeps a quotient of means finite and its logarithm too, relative to the weights' own size. */
const tiny = 1e-7;

/**
 * Least squares: the scale that fits the codes best, rounded to a power of two, gives new codes.
 * The best exponent seen is kept; the iteration goes on from the newest.
 */
export function leastSquares(problem: Po2Problem, iterations = 3): Solution {
  let exponent = maxExponent(problem).exponent;
  const trace = [exponent];
  let best = exponent;
  let lowest = squaredError(problem, exponent);
  for (let i = 0; i < iterations; i++) {
    exponent = fitted(problem, exponent);
    trace.push(exponent);
    const error = squaredError(problem, exponent);
    if (error < lowest) [best, lowest] = [exponent, error];
  }
  return { exponent: best, trace };
}

function fitted(problem: Po2Problem, exponent: number): number {
  const { weights, importance } = problem;
  const scale = 2 ** exponent;
  let [product, square, total] = [0, 0, 0];
  for (let i = 0; i < weights.length; i++) {
    const omega = importance === undefined ? 1 : importance[i]!;
    const code = codeOf(weights[i]!, scale, problem);
    product += omega * code * weights[i]!;
    square += omega * code * code;
    total += omega;
  }
  // The authors add 1e-7 to weights of order 1; relative to the scale it holds for all sizes.
  const quotient = product / (square + tiny * total);
  return roundHalfEven(Math.log2(quotient + tiny * scale));
}

/** Exponents that a line search tries beside the one it starts from, in this order. */
const steps = [-3, -2, -1, 1, 2, 3];

/** The start, or a neighbour up to three away whose error is strictly lower. */
export function lineSearch(problem: Po2Problem, start: Solution): Solution {
  let best = start.exponent;
  let lowest = squaredError(problem, best);
  for (const step of steps) {
    const error = squaredError(problem, start.exponent + step);
    if (error < lowest) [best, lowest] = [start.exponent + step, error];
  }
  return { exponent: best, trace: [...start.trace, best] };
}

/** How far below the exponent that clips nothing the oracle looks. */
const depth = 24;

/**
 * The oracle: every exponent from the smallest that clips nothing downwards. Above it every grid is a
 * part of the finer one, so nothing better lies there.
 */
export function exhaustive(problem: Po2Problem): Solution {
  const { weights, maxCode } = problem;
  const widest = Math.ceil(Math.log2(largest(weights) / maxCode));
  let best = widest;
  let lowest = Infinity;
  for (let exponent = widest; exponent >= widest - depth; exponent--) {
    const error = squaredError(problem, exponent);
    if (error < lowest) [best, lowest] = [exponent, error];
  }
  return { exponent: best, trace: [best] };
}
