// SPDX-License-Identifier: Apache-2.0

/** Images beyond the ones seen, as a multiple of their number, among which a reach is to hold. */
const further = 100;

/** Largest peaks that a tail is judged by. */
const peakCount = 8;

/**
 * The largest peaks of each channel, one peak an image, and how far they would reach on more images.
 * A channel that answers to few images has hardly shown its range in a calibration set, while one that
 * always answers has: the peaks of the first fall off steeply and those of the second do not.
 */
export class Peaks {
  /** By channel, in descending order, `peakCount + 1` of them, 0 where there are fewer. */
  readonly #largest: Float64Array;
  #images = 0;

  constructor(channels: number) {
    this.#largest = new Float64Array(channels * (peakCount + 1));
  }

  /** @param peaks of each channel in one image; below 0 count as 0 */
  add(peaks: Float32Array): void {
    const size = peakCount + 1;
    const largest = this.#largest;
    peaks.forEach((peak, c) => {
      const [first, end] = [c * size, (c + 1) * size];
      let place = end;
      while (place > first && largest[place - 1]! < peak) place--;
      if (place === end) return;
      largest.copyWithin(place + 1, place, end - 1);
      largest[place] = peak;
    });
    this.#images++;
  }

  /**
   * The largest peak times `further` to the power of the tail index, which Hill's estimate takes from
   * the largest peaks; infinite for a channel that fewer images brought above 0.
   */
  reach(): Float32Array {
    const size = peakCount + 1;
    const used = Math.min(peakCount, this.#images - 1);
    return Float32Array.from({ length: this.#largest.length / size }, (_, c) => {
      const peaks = this.#largest.subarray(c * size, (c + 1) * size);
      const largest = peaks[0]!;
      if (largest === 0 || used < 1) return largest;
      const base = peaks[used]!;
      if (base === 0) return Infinity;
      let sum = 0;
      for (let k = 0; k < used; k++) sum += Math.log(peaks[k]! / base);
      return largest * further ** (sum / used);
    });
  }
}
