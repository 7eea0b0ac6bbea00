// SPDX-License-Identifier: Apache-2.0
// From an accumulator towards a code by an integer multiplier and a shift, the twin of
// native/numeric/requant.h; program/NOTES.md, "Requantization". On BigInt it is the definition, on
// numbers the same wherever every intermediate stays below 2^53.
import { exactSums, roundRules, roundShift, roundShiftBig } from './round.js';

/** The plain rules and the two double roundings, in the order of their numbers in a file. */
export const fixedRules = [...roundRules, 'gemmlowp2', 'ruyx86'] as const;

/** A rule for the product of an accumulator and a multiplier, divided by a power of two. */
export type FixedRule = (typeof fixedRules)[number];

/**
 * a * m / 2^s under a rule.
 *
 * @param a the accumulator; at most 32 bits for the two double roundings
 * @param m 0 to 2^31 - 1
 * @param s 1 to 62
 */
export function fixedPointBig(a: bigint, m: bigint, s: number, rule: FixedRule): bigint {
  const p = a * m;
  if (rule !== 'gemmlowp2' && rule !== 'ruyx86') return roundShiftBig(p, s, rule);
  const half = 1n << BigInt(s - 1);
  const negative = rule === 'gemmlowp2' && a < 0n;
  const first = s > 31 ? (negative ? -(1n << 30n) : 1n << 30n) : 0n;
  return (p + half + first) >> BigInt(s);
}

/** {@link fixedPointBig} on numbers; |a| below 2^53. Results beyond 2^53 are rounded to a number. */
export function fixedPoint(a: number, m: number, s: number, rule: FixedRule): number {
  const p = a * m;
  if (Math.abs(p) > exactSums || s > 51) {
    return Number(fixedPointBig(BigInt(a), BigInt(m), s, rule));
  }
  if (rule !== 'gemmlowp2' && rule !== 'ruyx86') return roundShift(p, s, rule);
  const first = s > 31 ? (rule === 'gemmlowp2' && a < 0 ? -(2 ** 30) : 2 ** 30) : 0;
  return Math.floor((p + 2 ** (s - 1) + first) / 2 ** s);
}
