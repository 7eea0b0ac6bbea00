// SPDX-License-Identifier: Apache-2.0
import { UsageError } from '../errors.js';

/** Latencies of one contender, in milliseconds. */
export interface LatencySummary {
  readonly runs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly minMs: number;
}

/**
 * The q-quantile of ascending values by linear interpolation between order statistics
 * (Hyndman and Fan's definition 7, the usual default).
 */
export function quantile(ascending: ArrayLike<number>, q: number): number {
  if (ascending.length === 0) throw new UsageError('no-runs', 'bench', 'needs at least one run');
  const position = (ascending.length - 1) * q;
  const below = Math.floor(position);
  const low = ascending[below]!;
  const high = ascending[Math.min(below + 1, ascending.length - 1)]!;
  return low + (high - low) * (position - below);
}

export function summarize(milliseconds: readonly number[]): LatencySummary {
  const ascending = Float64Array.from(milliseconds).sort();
  return {
    runs: ascending.length,
    p50Ms: quantile(ascending, 0.5),
    p90Ms: quantile(ascending, 0.9),
    p99Ms: quantile(ascending, 0.99),
    minMs: quantile(ascending, 0),
  };
}
