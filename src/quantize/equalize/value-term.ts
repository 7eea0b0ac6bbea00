// SPDX-License-Identifier: Apache-2.0
import type { ValueNoise } from '../noise/noise-model.js';
import type { Term } from './clamp-mismatch.js';
import type { NoiseOptions } from './noise-options.js';
import { addTo, order, sideOf } from './smooth-max.js';

/** step = norm of range_c t_c, noise = step^2/12 sum cost_c / t_c^2 */
export function valueTerm(value: ValueNoise, g: number, options: NoiseOptions): Term {
  const highs = Float64Array.from(value.max, (max) => Math.max(max, 0));
  const lows = Float64Array.from(value.min, (min) => Math.max(-min, 0));
  const sides = options.asymmetricActivations
    ? [highs, lows]
    : [highs.map((high, c) => Math.max(high, lows[c]!))];
  const share = options.asymmetricActivations ? 1 : 2;
  const raised = sides
    .map(sideOf)
    .filter(({ max }) => max > 0)
    .map(({ max, ratios }) => ({ max, power: ratios.map((ratio) => ratio ** order) }));
  const levels = options.activationLevels(value.value);
  return (logs, gradient) => {
    const own = logs[g]!;
    const factors = own.map((log) => Math.exp(order * log));
    const parts = raised.map(({ max, power }) => {
      const shares = power.map((p, c) => p * factors[c]!);
      const total = shares.reduce((a, b) => a + b, 0);
      return { shares, total, norm: max * total ** (1 / order) };
    });
    const width = parts.reduce((sum, { norm }) => sum + norm, 0);
    if (width === 0) return 0;
    const step = (width * share) / levels;
    const costs = value.cost.map((cost, c) => cost * Math.exp(-2 * own[c]!));
    const total = costs.reduce((a, b) => a + b, 0);
    const noise = ((step * step) / 12) * total;
    for (const part of parts) {
      addTo(gradient[g]!, part.shares, (2 * noise * part.norm) / (width * part.total));
    }
    if (total > 0) addTo(gradient[g]!, costs, (-2 * noise) / total);
    return noise;
  };
}
