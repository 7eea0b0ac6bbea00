// SPDX-License-Identifier: Apache-2.0
import type { OpenGramSum } from '../../calibrate/gram.js';

/** How integer weights are searched for. */
export const roundingMethods = ['nearest', 'descent', 'gptq', 'adaround'] as const;
/** One of `roundingMethods`. */
type RoundingMethod = (typeof roundingMethods)[number];

/** The integer weights of one layer, to be chosen. */
export interface RoundingProblem {
  readonly outputs: number;
  /** Weights of one output. */
  readonly terms: number;
  readonly groups: number;
  /** Real weights, [outputs, terms]. */
  readonly weights: Float32Array;
  /** As in Gram, in real units. */
  readonly covariance: Float64Array;
  /** Empty where it is the covariance itself. */
  readonly cross: Float64Array;
  /** One, or one per output. */
  readonly scales: Float32Array;
  readonly zeroPoints: Int32Array;
  /** Limits of the codes. */
  readonly least: number;
  readonly greatest: number;
  readonly method: RoundingMethod;
  /** Share of the mean variance that is added to the diagonal; pulls towards the given weights. */
  readonly damping: number;
  /** Maximal number of rounds of coordinate descent. */
  readonly sweeps: number;
  /** Steps of `adaround`. */
  readonly iterations: number;
  /** Scales to try, as multiples of the given ones; empty: the given ones. */
  readonly ratios: Float64Array;
  /** Lower bounds of the scales by output, or empty. */
  readonly leastScales: Float32Array;
  /** Lets a channel's scale take the value that suits its codes best. */
  readonly refit: boolean;
}

/** The integer weights of one layer, as chosen. */
export interface RoundedWeights {
  /** [outputs, terms] */
  readonly codes: Int32Array;
  readonly scales: Float32Array;
  /**
   * Mean squared error of the outputs, summed over them, that weights on a grid add to what the best
   * real weights leave: rounding to nearest on the given grid, and the result.
   */
  readonly before: number;
  readonly after: number;
}

/** Solvers for what is heavy; pipeline.ts wires those of the engine. */
export interface Solver {
  readonly openGramSum: OpenGramSum;
  roundWeights(problem: RoundingProblem): Promise<RoundedWeights>;
}
