// SPDX-License-Identifier: Apache-2.0
import type { LayerNoise } from '../noise/noise-model.js';
import { order, type Side } from './smooth-max.js';

/** Pairs below this share of the maximum add nothing to a norm of this order. */
const visible = 0.45;

/** Evaluations after which the visible pairs are looked for again. */
const refresh = 8;

/** The pairs of one side that are large under the present factors. */
export class VisiblePairs {
  readonly #side: Side;
  readonly #layer: LayerNoise;
  readonly #firstOf: Int32Array;
  #outputs = new Int32Array(0);
  #inputs = new Int32Array(0);
  #powers = new Float64Array(0);
  #age = refresh;

  constructor(side: Side, layer: LayerNoise, firstOf: Int32Array) {
    this.#side = side;
    this.#layer = layer;
    this.#firstOf = firstOf;
  }

  /**
   * Norm over the pairs of ratio x out / into, where `out` and `into` are the factors to the power
   * `order`; `rows` and `columns` receive each output's and input's part of the sum of powers.
   */
  norm(
    out: Float64Array,
    into: Float64Array,
    rows: Float64Array,
    columns: Float64Array,
  ): { readonly total: number; readonly norm: number } {
    if (this.#age++ >= refresh) this.#find(out, into);
    rows.fill(0);
    columns.fill(0);
    let total = 0;
    for (let k = 0; k < this.#powers.length; k++) {
      const o = this.#outputs[k]!;
      const i = this.#inputs[k]!;
      const part = this.#powers[k]! * out[o]! * into[i]!;
      rows[o]! += part;
      columns[i]! += part;
      total += part;
    }
    return { total, norm: this.#side.max * total ** (1 / order) };
  }

  #find(out: Float64Array, into: Float64Array): void {
    const { ratios } = this.#side;
    const { outputs, perGroup } = this.#layer;
    const outFactors = out.map((value) => value ** (1 / order));
    const inFactors = into.map((value) => value ** (1 / order));
    let largest = 0;
    this.#each(outputs, perGroup, (pair, o, i) => {
      largest = Math.max(largest, ratios[pair]! * outFactors[o]! * inFactors[i]!);
    });
    const found: number[] = [];
    const threshold = largest * visible;
    this.#each(outputs, perGroup, (pair, o, i) => {
      if (ratios[pair]! * outFactors[o]! * inFactors[i]! >= threshold) found.push(pair, o, i);
    });
    const count = found.length / 3;
    this.#outputs = Int32Array.from({ length: count }, (_, k) => found[3 * k + 1]!);
    this.#inputs = Int32Array.from({ length: count }, (_, k) => found[3 * k + 2]!);
    this.#powers = Float64Array.from({ length: count }, (_, k) => ratios[found[3 * k]!]! ** order);
    this.#age = 1;
  }

  #each(
    outputs: number,
    perGroup: number,
    visit: (pair: number, output: number, input: number) => void,
  ): void {
    for (let o = 0; o < outputs; o++) {
      const first = this.#firstOf[o]!;
      for (let k = 0; k < perGroup; k++) visit(o * perGroup + k, o, first + k);
    }
  }
}

/** The pairs of each row that are large under the present factors of the inputs. */
export class VisibleRows {
  readonly #ratios: Float64Array;
  readonly #perGroup: number;
  readonly #firstOf: Int32Array;
  /** Where the pairs of each output begin; one entry more than outputs. */
  starts = new Int32Array(0);
  inputs = new Int32Array(0);
  powers = new Float64Array(0);
  #age = refresh;

  /** @param ratios weight / the maximum of its row, by pair */
  constructor(ratios: Float64Array, perGroup: number, firstOf: Int32Array) {
    this.#ratios = ratios;
    this.#perGroup = perGroup;
    this.#firstOf = firstOf;
  }

  /** To be called once in each evaluation. */
  update(inLogs: Float64Array): void {
    if (this.#age++ < refresh) return;
    this.#age = 1;
    const factors = inLogs.map((log) => Math.exp(-log));
    const found: number[] = [];
    const inputs: number[] = [];
    this.starts = new Int32Array(this.#firstOf.length + 1);
    this.#firstOf.forEach((first, o) => {
      const start = o * this.#perGroup;
      let largest = 0;
      for (let k = 0; k < this.#perGroup; k++) {
        largest = Math.max(largest, this.#ratios[start + k]! * factors[first + k]!);
      }
      const threshold = largest * visible;
      for (let k = 0; k < this.#perGroup; k++) {
        const ratio = this.#ratios[start + k]!;
        if (ratio * factors[first + k]! < threshold) continue;
        found.push(ratio ** order);
        inputs.push(first + k);
      }
      this.starts[o + 1] = found.length;
    });
    this.powers = Float64Array.from(found);
    this.inputs = Int32Array.from(inputs);
  }
}
