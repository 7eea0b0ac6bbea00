// SPDX-License-Identifier: Apache-2.0
import { roundHalfEven } from '../codes/scales.js';

/** Share of the old average that each step keeps. */
const keep = 0.99;

/**
 * An exponent that does not oscillate: the rounded moving average of those proposed, fixed for good
 * once frozen (Bae et al. 2022, "stable scale").
 */
export class StableExponent {
  #average: number | undefined;
  #frozen = false;

  /** The exponent to use, given the one just found. */
  next(proposed: number): number {
    if (this.#average === undefined) this.#average = proposed;
    else if (!this.#frozen) this.#average = keep * this.#average + (1 - keep) * proposed;
    return roundHalfEven(this.#average);
  }

  freeze(): void {
    this.#frozen = true;
  }
}

/** How often an exponent changed from one entry of a trace to the next. */
export function flips(trace: readonly number[]): number {
  return trace.filter((exponent, i) => i > 0 && exponent !== trace[i - 1]).length;
}
