// SPDX-License-Identifier: Apache-2.0
import type { LayerNoise } from '../noise/noise-model.js';

/**
 * The maximum of many is replaced by their norm of this order, which has a gradient everywhere.
 * Higher is closer to the maximum and slower to settle.
 */
export const order = 24;

/** The sides of a range that count: two where there is a zero point, else the larger. */
export function sidesOf(
  layer: LayerNoise,
  asymmetric: boolean,
): { sides: Float64Array[]; share: number } {
  if (asymmetric) return { sides: [layer.positive, layer.negative], share: 1 };
  return { sides: [layer.positive.map((v, i) => Math.max(v, layer.negative[i]!))], share: 2 };
}

/** One side of a layer's range: its maximum, above 0, and how the pairs compare with it. */
export interface Side {
  readonly max: number;
  /** weight / max, by pair */
  readonly ratios: Float64Array;
}

/** @param weights magnitudes on one side of zero, by pair, 0 where there are none */
export function sideOf(weights: Float64Array): Side {
  const max = weights.reduce((a, b) => Math.max(a, b), 0);
  return { max, ratios: weights.map((value) => (max === 0 ? 0 : value / max)) };
}

/** The first input channel that each output channel reads, [O]. */
export function firstInputs(layer: LayerNoise): Int32Array {
  const perOutputGroup = layer.outputs / layer.conv.group;
  return Int32Array.from(
    { length: layer.outputs },
    (_, o) => Math.floor(o / perOutputGroup) * layer.perGroup,
  );
}

/** sum += values x factor, in place. */
export function addTo(sum: Float64Array, values: Float64Array, factor: number): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += values[i]! * factor;
}
