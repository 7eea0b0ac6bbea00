// SPDX-License-Identifier: Apache-2.0

/** Bins on each side of zero. An 8-bit step over the whole range spans 16 to 32 of them. */
const side = 4096;

/**
 * How often values fell into equal bins around zero: bin i counts
 * `(i - side) * width <= x < (i - side + 1) * width`.
 */
export interface Histogram {
  /** A power of two. */
  readonly width: number;
  /** Number of bins below zero; as many lie above. */
  readonly side: number;
  readonly counts: Float64Array;
  /** Exact zeros, counted in bin `side` too: they cost nothing under any range. */
  readonly zeros: number;
  readonly min: number;
  readonly max: number;
}

/**
 * Counts values in one pass. When a value falls outside, the bins double in width and
 * neighbours merge; because widths are powers of two and bins are aligned at zero, the result
 * does not depend on the order of the images.
 */
export class HistogramObserver {
  readonly #weights: Float64Array;
  #width = 0;
  #counts: Float64Array = new Float64Array(2 * side);
  #zeros = 0;
  #min = Infinity;
  #max = -Infinity;

  /** @param weights what one value of each channel counts, [C]; one entry for all */
  constructor(weights: Float64Array = Float64Array.of(1)) {
    this.#weights = weights;
  }

  /** @param data finite f32 values; with weights by channel, channel after channel */
  observe(data: Float32Array): void {
    let min = this.#min;
    let max = this.#max;
    for (const value of data) {
      if (value < min) min = value;
      if (value > max) max = value;
    }
    this.#min = min;
    this.#max = max;
    this.#cover(Math.max(max, -min));
    const area = data.length / this.#weights.length;
    this.#weights.forEach((weight, c) => {
      this.#count(data.subarray(c * area, (c + 1) * area), weight);
    });
  }

  result(): Histogram {
    return {
      width: this.#width === 0 ? 1 : this.#width,
      side,
      counts: this.#counts.slice(),
      zeros: this.#zeros,
      min: this.#min,
      max: this.#max,
    };
  }

  #count(data: Float32Array, weight: number): void {
    const counts = this.#counts;
    const inverse = this.#width === 0 ? 0 : 1 / this.#width;
    let zeros = 0;
    for (const value of data) {
      const at = value * inverse;
      if (at === 0) {
        zeros += weight;
        continue;
      }
      const towardsZero = at | 0;
      counts[side + (at < towardsZero ? towardsZero - 1 : towardsZero)]! += weight;
    }
    counts[side]! += zeros;
    this.#zeros += zeros;
  }

  /** Widens the bins so that `bound` lies strictly inside. */
  #cover(bound: number): void {
    if (bound === 0) return;
    const needed = 2 ** (Math.floor(Math.log2(bound)) + 1) / side;
    if (this.#width === 0) this.#width = Math.max(needed, Number.MIN_VALUE);
    if (needed <= this.#width) return;
    this.#counts = merge(this.#counts, needed / this.#width);
    this.#width = needed;
  }
}

/** Joins each `factor` neighbours, counted from zero outwards. */
function merge(counts: Float64Array, factor: number): Float64Array {
  const merged = new Float64Array(2 * side);
  for (let i = 0; i < 2 * side; i++) {
    merged[side + Math.floor((i - side) / factor)]! += counts[i]!;
  }
  return merged;
}
