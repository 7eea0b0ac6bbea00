// SPDX-License-Identifier: Apache-2.0

/** Mean and variance of each channel over all positions and images. */
export interface ChannelMoments {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  /** Values per channel. */
  readonly count: number;
}

/**
 * Sums of values and of squares in double precision, about the first image's mean, so that a
 * large mean does not cancel a small variance.
 */
export class MomentsObserver {
  readonly #origin: Float64Array;
  readonly #sum: Float64Array;
  readonly #squares: Float64Array;
  #count = 0;

  constructor(channels: number) {
    this.#origin = new Float64Array(channels);
    this.#sum = new Float64Array(channels);
    this.#squares = new Float64Array(channels);
  }

  /** @param data finite f32 values, channel after channel, each `data.length / channels` long */
  observe(data: Float32Array): void {
    const channels = this.#sum.length;
    const area = data.length / channels;
    for (let c = 0; c < channels; c++) {
      if (this.#count === 0) this.#origin[c] = meanOf(data, c * area, area);
      const origin = this.#origin[c]!;
      let sum = 0;
      let squares = 0;
      for (let i = c * area; i < (c + 1) * area; i++) {
        const value = data[i]! - origin;
        sum += value;
        squares += value * value;
      }
      this.#sum[c]! += sum;
      this.#squares[c]! += squares;
    }
    this.#count += area;
  }

  result(): ChannelMoments {
    const count = Math.max(this.#count, 1);
    const offset = this.#sum.map((sum) => sum / count);
    return {
      mean: offset.map((value, c) => value + this.#origin[c]!),
      variance: this.#squares.map((squares, c) => Math.max(0, squares / count - offset[c]! ** 2)),
      count: this.#count,
    };
  }
}

function meanOf(data: Float32Array, start: number, count: number): number {
  let sum = 0;
  for (let i = start; i < start + count; i++) sum += data[i]!;
  return sum / count;
}
