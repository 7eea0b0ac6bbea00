// SPDX-License-Identifier: Apache-2.0
import type { Clamp } from '../../graph/graph.js';

/** Share, by channel, of the values that lie strictly inside a clamp: those it lets through. */
export class ActiveObserver {
  readonly #clamp: Clamp;
  readonly #inside: Float64Array;
  #count = 0;

  constructor(channels: number, clamp: Clamp) {
    this.#clamp = clamp;
    this.#inside = new Float64Array(channels);
  }

  /** @param data finite f32 values after the clamp, channel after channel */
  observe(data: Float32Array): void {
    const { lo, hi } = this.#clamp;
    const area = data.length / this.#inside.length;
    for (let c = 0; c < this.#inside.length; c++) {
      const low = lo[lo.length === 1 ? 0 : c]!;
      const high = hi[hi.length === 1 ? 0 : c]!;
      let inside = 0;
      for (let i = c * area; i < (c + 1) * area; i++) {
        if (data[i]! > low && data[i]! < high) inside++;
      }
      this.#inside[c]! += inside;
    }
    this.#count += area;
  }

  /** [C], 0 to 1 */
  result(): Float64Array {
    return this.#inside.map((inside) => inside / Math.max(this.#count, 1));
  }
}
