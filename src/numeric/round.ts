// SPDX-License-Identifier: Apache-2.0
// Rounding: the one place in TypeScript where it is spelled out, as native/numeric/round.h is in C++.
// Each rule is defined to the last bit in program/NOTES.md, "Rounding rules". Shifts exist twice: on
// BigInt, which is the definition, and on numbers, which is the same while every intermediate stays
// below 2^53 and calls the definition where it would not.

/** The plain rules in the order of their numbers in a file. */
export const roundRules = [
  'floor',
  'ceil',
  'trunc0',
  'halfUp',
  'halfDown',
  'halfAway',
  'halfToZero',
  'halfEven',
  'halfOdd',
] as const;

/** A rule for any integer divided by a power of two. */
export type RoundRule = (typeof roundRules)[number];

/** Rules for a float32, in the order of their numbers in a file. */
export const floatRules = ['halfEven', 'halfAway', 'halfUp', 'addHalfFloor'] as const;

/** Rounding of a float32 to an integer; `addHalfFloor` is floor(f32(v + 0.5)). */
export type FloatRule = (typeof floatRules)[number];

/** Rules for a quotient of integers, in the order of their numbers in a file. */
export const divideRules = ['halfAway', 'halfUp', 'trunc0'] as const;

/** Rounding of a sum of codes divided by their number. */
export type DivideRule = (typeof divideRules)[number];

/** Rules for a real to its nearest integer, in the order of their numbers in a file. */
export const nearestRules = ['halfAway', 'halfEven'] as const;

/** Rounding of a real, such as a pixel or a bound over its scale, to the nearest code. */
export type NearestRule = (typeof nearestRules)[number];

/** Rules for a float32 share of a softmax, in the order of their numbers in a file. */
export const tableRules = ['halfAway', 'truncHalf'] as const;

/** Rounding of a value that is not negative; `truncHalf` is trunc(f32(v + 0.5)). */
export type TableRule = (typeof tableRules)[number];

/** Rules for a real factor that becomes the integer of a register. */
export const encodeRules = ['floor', 'halfAway', 'halfEven'] as const;

/** How a real factor becomes the integer of a register. */
export type EncodeRule = (typeof encodeRules)[number];

/** Largest magnitude for which sums of two values are exact in a number. */
export const exactSums = 2 ** 52;

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

/** {@link roundShiftBig} on numbers; |p| below 2^53. Results beyond 2^53 are rounded to a number. */
export function roundShift(p: number, s: number, rule: RoundRule): number {
  if (Math.abs(p) > exactSums || s > 51) return Number(roundShiftBig(BigInt(p), s, rule));
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

/** A real to the nearest integer by a named rule. Exact for every finite number. */
export function roundNearest(x: number, rule: NearestRule): number {
  return rule === 'halfAway' ? roundHalfAway(x) : roundHalfEven(x);
}

/** A float32 that is not negative to an integer by a named rule. */
export function roundTable(x: number, rule: TableRule): number {
  return rule === 'halfAway' ? roundHalfAway(x) : Math.trunc(Math.fround(x + 0.5));
}

/** A real factor, times a power of two, to the integer of a register by a named rule. */
export function roundEncoded(x: number, rule: EncodeRule): number {
  return rule === 'floor' ? Math.floor(x) : roundNearest(x, rule);
}
