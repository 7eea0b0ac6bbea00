// SPDX-License-Identifier: Apache-2.0
import type { Distribution } from '../../../src/calibrate/data-free/normal.js';
import { randomNumbers } from '../../quantize/small-graphs.js';

/** Draws from a clamped normal, by Box and Muller. */
export function draws(
  { mean, std, lo, hi }: Distribution,
  count: number,
  seed: number,
): Float64Array {
  const random = randomNumbers(seed);
  const uniform = (): number => 1 - (random() + 1) / 2;
  return Float64Array.from({ length: count }, () => {
    const normal = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
    return Math.min(hi, Math.max(lo, mean + std * normal));
  });
}

export function momentsOfValues(values: Float64Array): {
  readonly mean: number;
  readonly variance: number;
} {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
  return { mean, variance };
}
