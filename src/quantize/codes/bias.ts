// SPDX-License-Identifier: Apache-2.0
import type { TargetConstraints } from '../../targets/target.js';
import { clampInteger, roundHalfEven } from './scales.js';
import type { WeightGrid } from './weights.js';

/**
 * Bias codes stay within this bound: half of int32 is left to the products, which for 8-bit
 * codes and up to 33,000 terms cannot fill the other half.
 */
export const biasLimit = 2 ** 30;

/** The scale of a bias as files and runtimes form it: f32(input scale x weight scale). */
export function biasScale(inputScale: number, weightScale: number): number {
  return Math.fround(Math.fround(inputScale) * Math.fround(weightScale));
}

/** The biases that a target's register holds: multiples of `step` up to `limit`, in codes. */
export interface BiasGrid {
  readonly step: number;
  readonly limit: number;
}

/** The grid of a target's biases; undefined where its registers hold every bias. */
export function biasGridOf({
  biasStep,
  biasLimit: limit,
}: TargetConstraints): BiasGrid | undefined {
  return biasStep === undefined ? undefined : { step: biasStep, limit: limit ?? biasLimit };
}

/** round(bias / scale), ties to even, per output channel; the nearest one of the grid. */
export function quantizeBias(
  bias: Float32Array | Float64Array,
  inputScale: number,
  weightScales: Float32Array,
  grid?: BiasGrid,
): Int32Array {
  return Int32Array.from(bias, (value, c) => {
    const weightScale = weightScales.length === 1 ? weightScales[0]! : weightScales[c]!;
    const code = value / biasScale(inputScale, weightScale);
    if (grid === undefined) return roundHalfEven(code);
    const { step, limit } = grid;
    return clampInteger(roundHalfEven(code / step) * step, -limit, limit);
  });
}

/**
 * Raises weight scales where the bias would not fit its integer: a channel with tiny weights and
 * a large bias (a dead channel, usually) loses weight precision that it had no use for.
 *
 * @param limit maximal magnitude of a bias code, where the target's is less than `biasLimit`
 * @returns the grid, and the number of output channels that needed it
 */
export function fitBias(
  grid: WeightGrid,
  bias: Float32Array | Float64Array,
  inputScale: number,
  powerOfTwo: boolean,
  limit = biasLimit,
): { readonly grid: WeightGrid; readonly raised: number } {
  const scales = grid.scales.slice();
  let raised = 0;
  bias.forEach((value: number, c: number) => {
    const part = scales.length === 1 ? 0 : c;
    if (Math.abs(value) / biasScale(inputScale, scales[part]!) <= limit) return;
    raised++;
    const factor = Math.abs(value) / (limit * inputScale * scales[part]!);
    // A margin for the two roundings to float32.
    scales[part] =
      scales[part]! * (powerOfTwo ? 2 ** Math.ceil(Math.log2(factor)) : factor * 1.0001);
  });
  return { grid: raised === 0 ? grid : { ...grid, scales }, raised };
}
