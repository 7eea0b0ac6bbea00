// SPDX-License-Identifier: Apache-2.0
// What it costs to scale a channel past a clamp that stays where it is (targets with one clamp per
// tensor).
//
// Symbols: y the sum before the clamp in units of its bound B, t = e^l the channel's factor, C the
// cost of noise at the output. In the channel's own units the clamp acts at 1 / t; low = min(1, 1
// / t), high = max(1, 1 / t).
//
//   M(l) = 4 B^2 C E[(min(y, high) - low)^2 ; y > low]
//
// The expectation is over the tail of y near the bound (calibrate/observers/tail.ts), tabulated
// over l from -2 to 2 and read with straight lines. M is 0 at l = 0, rises to both sides and
// levels off, so it is not convex.
import type { Tail } from '../../calibrate/observers/tail.js';

/** Adds a term's gradient by the logarithms of the factors and returns the term. */
export type Term = (logs: readonly Float64Array[], gradient: readonly Float64Array[]) => number;

/** What it costs to scale the channels of a group past a clamp that stays where it is. */
export interface ClampMismatch {
  readonly group: number;
  /** By channel: cost at each of the logarithms `first + k * step`. */
  readonly tables: readonly Float64Array[];
}

/** Logarithms of factors in a table: e^-2 to e^2. */
const first = -2;
const step = 1 / 16;
const entries = 65;

/**
 * A mismatch is no independent noise: it has one sign and neighbours share it, so it adds up where
 * rounding errors average out. Not tuned.
 */
const coherence = 4;

/**
 * With a channel scaled by t and the bound B kept, the clamp acts at B / t in the channel's own
 * units. Everything between B and B / t then comes out wrong: by min(y, high) - low for
 * low < y, where low and high are the smaller and the larger of B and B / t.
 *
 * @param tail values of the sum before the clamp around the bound
 * @param bound upper bound, one or one per channel
 * @param cost of noise in each channel after the clamp
 */
export function clampMismatch(
  group: number,
  tail: Tail,
  bound: Float32Array,
  cost: Float64Array,
): ClampMismatch {
  const tables = tail.shares.map((shares, c) => {
    const scale = bound[bound.length === 1 ? 0 : c]! ** 2 * cost[c]! * coherence;
    return Float64Array.from({ length: entries }, (_, k) => {
      const moved = Math.exp(-(first + k * step));
      return scale * between(tail.centres, shares, Math.min(1, moved), Math.max(1, moved));
    });
  });
  return { group, tables };
}

/** E[(min(y, high) - low)^2; y > low] */
function between(centres: Float64Array, shares: Float64Array, low: number, high: number): number {
  let sum = 0;
  for (let bin = 0; bin < centres.length; bin++) {
    const excess = Math.min(centres[bin]!, high) - low;
    if (excess > 0) sum += shares[bin]! * excess * excess;
  }
  return sum;
}

/** Reads the tables with straight lines between entries; beyond them the last slope goes on. */
export function mismatchTerm(mismatch: ClampMismatch): Term {
  return (logs, gradient) => {
    const own = logs[mismatch.group]!;
    const part = gradient[mismatch.group]!;
    let noise = 0;
    mismatch.tables.forEach((table, c) => {
      const place = (own[c]! - first) / step;
      const k = Math.min(entries - 2, Math.max(0, Math.floor(place)));
      const slope = table[k + 1]! - table[k]!;
      noise += table[k]! + slope * (place - k);
      part[c]! += slope / step;
    });
    return noise;
  };
}
