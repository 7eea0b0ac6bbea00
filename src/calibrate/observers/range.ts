// SPDX-License-Identifier: Apache-2.0
import { Peaks } from './reach.js';

/** Minimum and maximum seen, in real units. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** Minimum and maximum seen in each channel. */
export interface ChannelRange {
  readonly min: Float32Array;
  readonly max: Float32Array;
  /** How far above zero images that were not seen may go (reach.ts); no less than what was seen. */
  readonly reach: Float32Array;
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
  readonly #peaks: Peaks;

  constructor(channels: number) {
    this.#peaks = new Peaks(channels);
    this.#min = new Float32Array(channels).fill(Infinity);
    this.#max = new Float32Array(channels).fill(-Infinity);
  }

  /** @param data finite f32 values, channel after channel, each `data.length / channels` long */
  observe(data: Float32Array): void {
    const channels = this.#min.length;
    const area = data.length / channels;
    const peaks = new Float32Array(channels);
    for (let c = 0; c < channels; c++) {
      let min = Infinity;
      let max = -Infinity;
      for (let i = c * area; i < (c + 1) * area; i++) {
        const value = data[i]!;
        if (value < min) min = value;
        if (value > max) max = value;
      }
      this.#min[c] = Math.min(this.#min[c]!, min);
      this.#max[c] = Math.max(this.#max[c]!, max);
      peaks[c] = max;
    }
    this.#peaks.add(peaks);
  }

  result(): ChannelRange {
    return { min: this.#min.slice(), max: this.#max.slice(), reach: this.#peaks.reach() };
  }
}
