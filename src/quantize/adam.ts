// SPDX-License-Identifier: Apache-2.0

/** Adam (Kingma & Ba 2015), b1 = 0.9, b2 = 0.99. */
export class Adam {
  readonly #mean: Float64Array;
  readonly #square: Float64Array;
  #count = 0;

  constructor(size: number) {
    this.#mean = new Float64Array(size);
    this.#square = new Float64Array(size);
  }

  /** What to add to each value, given its gradient. */
  step(gradient: Float64Array, rate: number): Float64Array {
    this.#count++;
    return gradient.map((value, i) => {
      this.#mean[i] = 0.9 * this.#mean[i]! + 0.1 * value;
      this.#square[i] = 0.99 * this.#square[i]! + 0.01 * value ** 2;
      const mean = this.#mean[i] / (1 - 0.9 ** this.#count);
      const square = this.#square[i] / (1 - 0.99 ** this.#count);
      return (-rate * mean) / (Math.sqrt(square) + 1e-30);
    });
  }
}
