// SPDX-License-Identifier: Apache-2.0

/** Least and greatest value seen, in real units. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** Least and greatest value seen in each channel. */
export interface ChannelRange {
  readonly min: Float32Array;
  readonly max: Float32Array;
}

/** The smallest range that holds every value observed. */
export class RangeObserver {
  #min = Infinity;
  #max = -Infinity;

  /** @param data finite f32 values, in any order */
  observe(data: Float32Array): void {
    let min = this.#min;
    let max = this.#max;
    for (const value of data) {
      if (value < min) min = value;
      if (value > max) max = value;
    }
    this.#min = min;
    this.#max = max;
  }

  result(): Range {
    return { min: this.#min, max: this.#max };
  }
}

/** The same for each channel by itself. */
export class ChannelRangeObserver {
  readonly #min: Float32Array;
  readonly #max: Float32Array;

  constructor(channels: number) {
    this.#min = new Float32Array(channels).fill(Infinity);
    this.#max = new Float32Array(channels).fill(-Infinity);
  }

  /** @param data finite f32 values, channel after channel, each `data.length / channels` long */
  observe(data: Float32Array): void {
    const area = data.length / this.#min.length;
    for (let c = 0; c < this.#min.length; c++) {
      let min = this.#min[c]!;
      let max = this.#max[c]!;
      for (let i = c * area; i < (c + 1) * area; i++) {
        const value = data[i]!;
        if (value < min) min = value;
        if (value > max) max = value;
      }
      this.#min[c] = min;
      this.#max[c] = max;
    }
  }

  result(): ChannelRange {
    return { min: this.#min.slice(), max: this.#max.slice() };
  }
}
