// SPDX-License-Identifier: Apache-2.0
import type { Histogram } from '../../calibrate/observers/histogram.js';
import { codeLimits, type Quantization, type RealRange } from '../codes/scales.js';

/** Bounds tried on each side, as fractions of the extreme value. */
const fractions = 96;

/** Exponents tried below the one that clips nothing. */
const exponents = 10;

/** How a search turns candidate ranges into quantizations. */
export interface RangeSearch {
  /** From a range to the quantization the target would get. */
  readonly quantize: (range: RealRange) => Quantization;
  /** Scales are powers of two. */
  readonly powerOfTwo?: boolean;
}

/** The candidate of minimal cost; of equal ones the first. */
export function cheapest(
  candidates: readonly RealRange[],
  cost: (range: RealRange) => number,
): RealRange {
  let best = candidates[0]!;
  let lowest = Infinity;
  for (const candidate of candidates) {
    const value = cost(candidate);
    if (value < lowest) [best, lowest] = [candidate, value];
  }
  return best;
}

/**
 * The ranges that a search tries, the full one first: for powers of two one for each exponent,
 * otherwise fractions of the full range's ends.
 *
 * @param pairs `all` pairs of a lower and an upper end, or the `diagonal`: both ends at the same
 *   fraction, then each by itself
 */
export function candidateRanges(
  histogram: Histogram,
  { quantize, powerOfTwo = false }: RangeSearch,
  pairs: 'all' | 'diagonal',
): RealRange[] {
  const full = { min: Math.min(histogram.min, 0), max: Math.max(histogram.max, 0) };
  if (powerOfTwo) return exponentRanges(full, quantize(full));
  const shares = Array.from({ length: fractions }, (_, i) => (fractions - i) / fractions);
  const lows = full.min === 0 ? [0] : shares.map((share) => share * full.min);
  const highs = full.max === 0 ? [0] : shares.map((share) => share * full.max);
  if (pairs === 'all') return lows.flatMap((min) => highs.map((max) => ({ min, max })));
  if (lows.length === 1) return highs.map((max) => ({ min: full.min, max }));
  if (highs.length === 1) return lows.map((min) => ({ min, max: full.max }));
  return [
    ...lows.map((min, i) => ({ min, max: highs[i]! })),
    ...lows.slice(1).map((min) => ({ min, max: full.max })),
    ...highs.slice(1).map((max) => ({ min: full.min, max })),
  ];
}

/** The ranges that the widest exponent and those below it represent, within the full one. */
function exponentRanges(full: RealRange, widest: Quantization): RealRange[] {
  const [minCode, maxCode] = codeLimits(widest.dtype, widest.bits);
  return Array.from({ length: exponents + 1 }, (_, i) => {
    const scale = widest.scale * 2 ** -i;
    return { min: Math.max(full.min, minCode * scale), max: Math.min(full.max, maxCode * scale) };
  });
}
