// SPDX-License-Identifier: Apache-2.0

/** Keeps what it sees, image by image: for values that were reduced before. */
export class EachObserver {
  readonly #seen: Float32Array[] = [];

  observe(data: Float32Array): void {
    this.#seen.push(data.slice());
  }

  result(): readonly Float32Array[] {
    return this.#seen;
  }
}
