// SPDX-License-Identifier: Apache-2.0
// NOTES.md, "Rounding rules": the one place in TypeScript where rounding is spelled out.
// Each function exists twice: on BigInt, which is the definition, and on numbers, which is the same
// while every intermediate stays below 2^53 and calls the definition where it would not.
import type { FixedRule, FloatRule, RoundRule } from './program.js';

/** The plain rules in the order of their numbers in a file. */
export const roundRules: readonly RoundRule[] = [
  'floor',
  'ceil',
  'trunc0',
  'halfUp',
  'halfDown',
  'halfAway',
  'halfToZero',
  'halfEven',
  'halfOdd',
];

/** The plain rules and the two double roundings, in the order of their numbers in a file. */
export const fixedRules: readonly FixedRule[] = [...roundRules, 'gemmlowp2', 'ruyx86'];

/** Largest magnitude for which sums of two values are exact in a number. */
const exact = 2 ** 52;

/**
 * p / 2^s under a rule.
 *
 * @param p any integer
 * @param s 1 to 62
 */
export function roundShiftBig(p: bigint, s: number, rule: RoundRule): bigint {
  return (p + plainAddend(p, BigInt(s), rule)) >> BigInt(s);
}

function plainAddend(p: bigint, s: bigint, rule: RoundRule): bigint {
  const one = 1n << s;
  const half = one >> 1n;
  switch (rule) {
    case 'floor':
      return 0n;
    case 'ceil':
      return one - 1n;
    case 'trunc0':
      return p < 0n ? one - 1n : 0n;
    case 'halfUp':
      return half;
    case 'halfDown':
      return half - 1n;
    case 'halfAway':
      return half - (p < 0n ? 1n : 0n);
    case 'halfToZero':
      return half - (p >= 0n ? 1n : 0n);
    case 'halfEven':
      return half - 1n + ((p >> s) & 1n);
    case 'halfOdd':
      return half - ((p >> s) & 1n);
  }
}

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

/** {@link roundShiftBig} on numbers; |p| below 2^53. Results beyond 2^53 are rounded to a number. */
export function roundShift(p: number, s: number, rule: RoundRule): number {
  if (Math.abs(p) > exact || s > 51) return Number(roundShiftBig(BigInt(p), s, rule));
  const one = 2 ** s;
  const half = one / 2;
  switch (rule) {
    case 'floor':
      return Math.floor(p / one);
    case 'ceil':
      return Math.ceil(p / one);
    case 'trunc0':
      return Math.trunc(p / one);
    case 'halfUp':
      return Math.floor((p + half) / one);
    case 'halfDown':
      return Math.floor((p + half - 1) / one);
    case 'halfAway':
      return Math.floor((p + half - (p < 0 ? 1 : 0)) / one);
    case 'halfToZero':
      return Math.floor((p + half - (p >= 0 ? 1 : 0)) / one);
    case 'halfEven':
      return Math.floor((p + half - 1 + parity(Math.floor(p / one))) / one);
    case 'halfOdd':
      return Math.floor((p + half - parity(Math.floor(p / one))) / one);
  }
}

function parity(x: number): number {
  return Math.abs(x % 2);
}

/** {@link fixedPointBig} on numbers; |a| below 2^53. Results beyond 2^53 are rounded to a number. */
export function fixedPoint(a: number, m: number, s: number, rule: FixedRule): number {
  const p = a * m;
  if (Math.abs(p) > exact || s > 51) {
    return Number(fixedPointBig(BigInt(a), BigInt(m), s, rule));
  }
  if (rule !== 'gemmlowp2' && rule !== 'ruyx86') return roundShift(p, s, rule);
  const first = s > 31 ? (rule === 'gemmlowp2' && a < 0 ? -(2 ** 30) : 2 ** 30) : 0;
  return Math.floor((p + 2 ** (s - 1) + first) / 2 ** s);
}

/** RNE(x): nearest integer, ties to even. Exact for every finite number. */
export function roundHalfEven(x: number): number {
  const down = Math.floor(x);
  const above = x - down;
  if (above < 0.5) return down;
  if (above > 0.5) return down + 1;
  return parity(down) === 0 ? down : down + 1;
}

/** C's `round`: nearest integer, ties away from zero. Exact for every finite number. */
export function roundHalfAway(x: number): number {
  const down = Math.floor(Math.abs(x));
  const nearest = Math.abs(x) - down >= 0.5 ? down + 1 : down;
  return x < 0 ? -nearest : nearest;
}

/** A float32 to an integer by a named rule. Exact for every float32; infinities stay. */
export function roundFloat(x: number, rule: FloatRule): number {
  switch (rule) {
    case 'halfEven':
      return roundHalfEven(x);
    case 'halfAway':
      return roundHalfAway(x);
    case 'halfUp':
      // Exact in binary64 but for |x| below 2^-29, where the rounded sum still has the floor 0.
      return Math.floor(x + 0.5);
    case 'addHalfFloor':
      return Math.floor(Math.fround(x + 0.5));
  }
}
