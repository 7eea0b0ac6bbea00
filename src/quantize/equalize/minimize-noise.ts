// SPDX-License-Identifier: Apache-2.0
import { Adam } from '../adam.js';
import type { NoiseModel } from '../noise/noise-model.js';
import type { ChannelGroup } from './channel-groups.js';
import { type ClampMismatch, mismatchTerm } from './clamp-mismatch.js';
import type { NoiseOptions } from './noise-options.js';
import { noiseTerms } from './noise-terms.js';

/** Least and greatest logarithm of each factor of a group. */
export interface Bounds {
  readonly lower: Float64Array;
  readonly upper: Float64Array;
}

/**
 * Finds a factor for every channel of every group so that the modelled noise is least: the sum over
 * tensors of (step^2 / 12) x (what noise there costs). Each such term is a maximum of exponentials
 * of the factors' logarithms times a sum of such exponentials, so without clamp mismatches the
 * problem is convex in the logarithms and has no local minima. Adam, with a step that shrinks to
 * zero, and projection on the bounds.
 */
export function minimizeNoise(
  model: NoiseModel,
  mismatches: readonly ClampMismatch[],
  groups: readonly ChannelGroup[],
  bounds: readonly Bounds[],
  options: NoiseOptions,
): { readonly factors: Float64Array[]; readonly noiseRatio: number } {
  const terms = [...noiseTerms(model, groups, options), ...mismatches.map(mismatchTerm)];
  const logs = groups.map((group) => new Float64Array(group.channels));
  const gradient = groups.map((group) => new Float64Array(group.channels));
  const adam = groups.map((group) => new Adam(group.channels));
  const evaluate = (): number => {
    for (const part of gradient) part.fill(0);
    return terms.reduce((sum, term) => sum + term(logs, gradient), 0);
  };
  const before = evaluate();
  let best = before;
  let factors = logs.map((part) => part.slice());
  for (let step = 0; step < options.iterations; step++) {
    const rate = 0.04 * (1 - step / options.iterations) ** 2;
    // Relative to the total, so that the step does not depend on the network's units.
    adam.forEach((optimizer, g) => {
      moveWithin(bounds[g]!, logs[g]!, optimizer.step(gradient[g]!, rate));
    });
    const noise = evaluate();
    if (noise < best) {
      best = noise;
      factors = logs.map((part) => part.slice());
    }
  }
  return {
    factors: factors.map((part) => part.map((value) => Math.exp(value))),
    noiseRatio: before === 0 ? 1 : best / before,
  };
}

/** Projection on the bounds. */
function moveWithin({ lower, upper }: Bounds, logs: Float64Array, by: Float64Array): void {
  for (let c = 0; c < logs.length; c++) {
    logs[c] = Math.min(upper[c]!, Math.max(lower[c]!, logs[c]! + by[c]!));
  }
}
