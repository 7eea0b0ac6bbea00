// SPDX-License-Identifier: Apache-2.0
import { jStat } from 'jstat';

/**
 * What is believed of the values of each channel: clamp(n, lo, hi) with n normal. [C] each; an
 * open side is -Infinity or Infinity.
 */
export interface ChannelLaw {
  /** Of n, before the clamp. */
  readonly mean: Float64Array;
  readonly std: Float64Array;
  readonly lo: Float64Array;
  readonly hi: Float64Array;
}

/** One channel of a law. */
export interface Law {
  readonly mean: number;
  readonly std: number;
  readonly lo: number;
  readonly hi: number;
}

export function channelOf(law: ChannelLaw, c: number): Law {
  return { mean: law.mean[c]!, std: law.std[c]!, lo: law.lo[c]!, hi: law.hi[c]! };
}

/** The law whose channels are those of a function. */
export function lawFrom(channels: number, of: (c: number) => Law): ChannelLaw {
  const laws = Array.from({ length: channels }, (_, c) => of(c));
  const part = (key: keyof Law): Float64Array => Float64Array.from(laws, (law) => law[key]);
  return { mean: part('mean'), std: part('std'), lo: part('lo'), hi: part('hi') };
}

/** Density of the standard normal. */
function density(z: number): number {
  return Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
}

/** P(n < x); a law without deviation is a step at its mean. */
export function below(law: Law, x: number): number {
  if (law.std === 0) return x > law.mean ? 1 : 0;
  return jStat.normal.cdf((x - law.mean) / law.std, 0, 1);
}

/** Share of the values strictly inside the clamp. */
export function insideShare(law: Law): number {
  if (law.std === 0) return law.mean > law.lo && law.mean < law.hi ? 1 : 0;
  return Math.max(0, below(law, law.hi) - below(law, law.lo));
}

/**
 * Mean and variance after the clamp, in closed form: with a = (lo - m) / s and b = (hi - m) / s,
 * E = lo Phi(a) + hi (1 - Phi(b)) + m (Phi(b) - Phi(a)) + s (phi(a) - phi(b)), and likewise for the
 * square about m.
 */
export function clampedMoments(law: Law): { readonly mean: number; readonly variance: number } {
  const { mean, std, lo, hi } = law;
  if (std === 0) return { mean: Math.min(hi, Math.max(lo, mean)), variance: 0 };
  const a = (lo - mean) / std;
  const b = (hi - mean) / std;
  const low = below(law, lo);
  const high = 1 - below(law, hi);
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

/** Least and greatest value that the law is taken to give. */
export function extremes({ mean, std, lo, hi }: Law): readonly [number, number] {
  const within = (x: number): number => Math.min(hi, Math.max(lo, x));
  return [within(mean - reach * std), within(mean + reach * std)];
}

/** The law after one more clamp with bounds `lo` and `hi`. */
export function clampLaw(law: Law, lo: number, hi: number): Law {
  const within = (x: number): number => Math.min(hi, Math.max(lo, x));
  return { ...law, lo: within(law.lo), hi: within(law.hi) };
}
