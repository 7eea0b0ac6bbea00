// SPDX-License-Identifier: Apache-2.0

/** Bins per doubling, and doublings on either side of the bound. */
const perDoubling = 8;
const doublings = 3;
const bins = 2 * doublings * perDoubling;

/**
 * How the values of each channel spread around an upper bound, in bins that are equal in the
 * logarithm: from an eighth of the bound (lower values do not count) to eight times it.
 */
export interface Tail {
  /** Middle of each bin as a multiple of the bound. */
  readonly centres: Float64Array;
  /** Share of all values of the channel, by channel and bin. */
  readonly shares: readonly Float64Array[];
}

/** The bins of every tail: `edges` has one entry more than `centres`, both as multiples of the bound. */
export function tailBins(): { readonly edges: Float64Array; readonly centres: Float64Array } {
  const at = (bin: number): number => 2 ** (bin / perDoubling - doublings);
  return {
    edges: Float64Array.from({ length: bins + 1 }, (_, bin) => at(bin)),
    centres: Float64Array.from({ length: bins }, (_, bin) => at(bin + 0.5)),
  };
}

/**
 * Keys are the exponent and four bits of a float32, counted from 2^-doublings on: narrower than a bin, so a
 * value lies in the bin where its key begins, or beside it.
 */
const keyBits = 4;
const binOfKey = Uint8Array.from({ length: (2 * doublings) << keyBits }, (_, key) =>
  Math.floor(
    Math.log2((1 + (key % (1 << keyBits)) / (1 << keyBits)) * 2 ** (key >> keyBits)) * perDoubling,
  ),
);
const asFloat = new Float32Array(1);
const asBits = new Int32Array(asFloat.buffer);
const firstKey = (127 - doublings) << keyBits;
const bounds = tailBins();

/** Counts, in each channel, the values near and beyond a positive bound. */
export class TailObserver {
  readonly #inverse: Float64Array;
  readonly #counts: Float64Array[];
  #count = 0;

  /** @param bound positive and finite, one or one per channel */
  constructor(channels: number, bound: Float32Array) {
    this.#inverse = Float64Array.from(
      { length: channels },
      (_, c) => 1 / bound[bound.length === 1 ? 0 : c]!,
    );
    this.#counts = Array.from({ length: channels }, () => new Float64Array(bins));
  }

  /** @param data finite f32 values before the clamp, channel after channel */
  observe(data: Float32Array): void {
    const area = data.length / this.#counts.length;
    const { edges } = bounds;
    const [lowest, highest] = [edges[0]!, edges[bins]!];
    for (const [c, counts] of this.#counts.entries()) {
      const inverse = this.#inverse[c]!;
      for (let i = c * area; i < (c + 1) * area; i++) {
        const ratio = data[i]! * inverse;
        if (ratio < lowest) continue;
        if (ratio >= highest) {
          counts[bins - 1]!++;
          continue;
        }
        // A table and two comparisons in the place of a logarithm.
        asFloat[0] = ratio;
        const key = Math.min((asBits[0]! >> (23 - keyBits)) - firstKey, binOfKey.length - 1);
        const bin = binOfKey[key]!;
        if (ratio < edges[bin]!) counts[bin - 1]!++;
        else if (ratio >= edges[bin + 1]!) counts[bin + 1]!++;
        else counts[bin]!++;
      }
    }
    this.#count += area;
  }

  result(): Tail {
    const { centres } = tailBins();
    const total = Math.max(this.#count, 1);
    return { centres, shares: this.#counts.map((counts) => counts.map((n) => n / total)) };
  }
}
