// SPDX-License-Identifier: Apache-2.0
import { jStat } from 'jstat';

/**
 * What is believed of the values of each channel: clamp(n, lo, hi) with n normal. [C] each; an
 * open side is -Infinity or Infinity.
 */
export interface ChannelDistribution {
  /** Of n, before the clamp. */
  readonly mean: Float64Array;
  readonly std: Float64Array;
  readonly lo: Float64Array;
  readonly hi: Float64Array;
}

/** One channel of a distribution. */
export interface Distribution {
  readonly mean: number;
  readonly std: number;
  readonly lo: number;
  readonly hi: number;
}

export function channelOf(distribution: ChannelDistribution, c: number): Distribution {
  return {
    mean: distribution.mean[c]!,
    std: distribution.std[c]!,
    lo: distribution.lo[c]!,
    hi: distribution.hi[c]!,
  };
}

/** The distribution whose channels are those of a function. */
export function distributionFrom(
  channels: number,
  of: (c: number) => Distribution,
): ChannelDistribution {
  const distributions = Array.from({ length: channels }, (_, c) => of(c));
  const part = (key: keyof Distribution): Float64Array =>
    Float64Array.from(distributions, (distribution) => distribution[key]);
  return { mean: part('mean'), std: part('std'), lo: part('lo'), hi: part('hi') };
}

/** Density of the standard normal. */
function density(z: number): number {
  return Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
}

/** P(n < x); a distribution without deviation is a step at its mean. */
export function below(distribution: Distribution, x: number): number {
  if (distribution.std === 0) return x > distribution.mean ? 1 : 0;
  return jStat.normal.cdf((x - distribution.mean) / distribution.std, 0, 1);
}

/** Share of the values strictly inside the clamp. */
export function insideShare(distribution: Distribution): number {
  if (distribution.std === 0)
    return distribution.mean > distribution.lo && distribution.mean < distribution.hi ? 1 : 0;
  return Math.max(0, below(distribution, distribution.hi) - below(distribution, distribution.lo));
}

/**
 * Mean and variance after the clamp, in closed form: with a = (lo - m) / s and b = (hi - m) / s,
 * E = lo Phi(a) + hi (1 - Phi(b)) + m (Phi(b) - Phi(a)) + s (phi(a) - phi(b)), and likewise for the
 * square about m.
 */
export function clampedMoments(distribution: Distribution): {
  readonly mean: number;
  readonly variance: number;
} {
  const { mean, std, lo, hi } = distribution;
  if (std === 0) return { mean: Math.min(hi, Math.max(lo, mean)), variance: 0 };
  const a = (lo - mean) / std;
  const b = (hi - mean) / std;
  const low = below(distribution, lo);
  const high = 1 - below(distribution, hi);
  // At an open side the products with infinity have the limit 0.
  const times = (x: number, y: number): number => (y === 0 ? 0 : x * y);
  // Distance of the mean after the clamp from the mean before it, in deviations.
  const moved = times(a, low) + times(b, high) + density(a) - density(b);
  const inside = 1 - low - high;
  const square =
    times(a * a, low) + times(b * b, high) + inside + times(a, density(a)) - times(b, density(b));
  return {
    mean: Math.min(hi, Math.max(lo, mean + std * moved)),
    variance: std * std * Math.max(0, square - moved * moved),
  };
}

/**
 * How many deviations from its mean a value is taken to reach: Nagel et al. 2019 take 6 for
 * activation ranges.
 */
export const reach = 6;

/** Minimal and maximal value that the distribution is taken to give. */
export function extremes({ mean, std, lo, hi }: Distribution): readonly [number, number] {
  const within = (x: number): number => Math.min(hi, Math.max(lo, x));
  return [within(mean - reach * std), within(mean + reach * std)];
}

/** The distribution after one more clamp with bounds `lo` and `hi`. */
export function clampDistribution(
  distribution: Distribution,
  lo: number,
  hi: number,
): Distribution {
  const within = (x: number): number => Math.min(hi, Math.max(lo, x));
  return { ...distribution, lo: within(distribution.lo), hi: within(distribution.hi) };
}
