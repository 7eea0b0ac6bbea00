// SPDX-License-Identifier: Apache-2.0
// Ranges of activations by min-max, percentile and squared error.
//
// Squared error. Symbols: x the values of a histogram, [r_min, r_max] a range that the codes
// represent, s its step. Over the candidate ranges (candidates.ts):
//
//   minimize   E(r) = n s^2 / 12  +  sum of (x - r_min)^2 over x < r_min
//                                 +  sum of (x - r_max)^2 over x > r_max
//
// rounding, uniform over a step, and clipping. n counts values other than exact zeros, which have
// a code. Cumulated counts, sums and squares of the bins make E cost the same for every candidate.
import type { Histogram } from '../../calibrate/observers/histogram.js';
import type { Range } from '../../calibrate/observers/range.js';
import { representedRange, type Quantization, type RealRange } from '../codes/scales.js';
import { candidateRanges, cheapest, type RangeSearch } from './candidates.js';

/** The range that holds everything seen. */
export function fullRange(seen: Range | Histogram): RealRange {
  return { min: Math.min(seen.min, 0), max: Math.max(seen.max, 0) };
}

/** The part of `range` that the operator's own clamp lets through. */
export function withinClamp(range: RealRange, lo: number, hi: number): RealRange {
  return { min: Math.max(range.min, Math.min(lo, 0)), max: Math.min(range.max, Math.max(hi, 0)) };
}

/**
 * The range that leaves out the same share of values at either end.
 *
 * @param percentile share to keep on each side, in percent: 99.9 drops 0.1 % above and below
 */
export function percentileRange(histogram: Histogram, percentile: number): RealRange {
  const { counts, side, width } = histogram;
  const total = counts.reduce((a, b) => a + b, 0);
  const drop = (total * (100 - percentile)) / 100;
  let below = 0;
  let first = 0;
  while (first < counts.length && below + counts[first]! <= drop) below += counts[first++]!;
  let above = 0;
  let last = counts.length - 1;
  while (last > first && above + counts[last]! <= drop) above += counts[last--]!;
  return {
    min: Math.min(0, Math.max(histogram.min, (first - side) * width)),
    max: Math.max(0, Math.min(histogram.max, (last - side + 1) * width)),
  };
}

/**
 * The range whose quantization has the smallest expected squared error: rounding, uniform over a
 * step (s^2 / 12), plus clipping. For two-sided data both ends are searched together, for powers
 * of two all exponents. Exact zeros cost nothing and do not count.
 */
export function minErrorRange(histogram: Histogram, search: RangeSearch): RealRange {
  const tails = new Tails(histogram);
  const candidates = candidateRanges(histogram, search, 'all');
  return cheapest(candidates, (range) => tails.error(search.quantize(range)));
}

/** Cumulated moments of a histogram, so that a candidate range costs the same however many bins. */
export class Tails {
  readonly #histogram: Histogram;
  readonly #count: Float64Array;
  readonly #sum: Float64Array;
  readonly #squares: Float64Array;
  readonly #rounded: number;

  constructor(histogram: Histogram) {
    const { counts, side, width } = histogram;
    this.#histogram = histogram;
    this.#count = new Float64Array(counts.length + 1);
    this.#sum = new Float64Array(counts.length + 1);
    this.#squares = new Float64Array(counts.length + 1);
    for (let i = 0; i < counts.length; i++) {
      const centre = (i - side + 0.5) * width;
      this.#count[i + 1] = this.#count[i]! + counts[i]!;
      this.#sum[i + 1] = this.#sum[i]! + counts[i]! * centre;
      this.#squares[i + 1] = this.#squares[i]! + counts[i]! * centre * centre;
    }
    this.#rounded = this.#count[counts.length]! - histogram.zeros;
  }

  /** Sum over all values of the expected squared error. */
  error(quantization: Quantization): number {
    const { min, max } = representedRange(quantization);
    const rounding = (this.#rounded * quantization.scale ** 2) / 12;
    const last = this.#count.length - 1;
    return (
      rounding +
      this.#distance(0, this.#bin(min), min) +
      this.#distance(Math.max(this.#bin(max), this.#bin(min)), last, max)
    );
  }

  /** First bin whose centre is not below `value`. */
  #bin(value: number): number {
    const { side, width, counts } = this.#histogram;
    return Math.min(counts.length, Math.max(0, Math.ceil(value / width - 0.5) + side));
  }

  /** Sum of (x - bound)^2 over bins from `first` to before `end`. */
  #distance(first: number, end: number, bound: number): number {
    const count = this.#count[end]! - this.#count[first]!;
    const sum = this.#sum[end]! - this.#sum[first]!;
    const squares = this.#squares[end]! - this.#squares[first]!;
    return Math.max(0, squares - 2 * bound * sum + bound * bound * count);
  }
}
