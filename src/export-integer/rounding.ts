// SPDX-License-Identifier: Apache-2.0
// program/NOTES.md, "Rounding rules": (p + R) >> s for every rule. Shifts may differ by channel.
import { type FixedRule, fixedPointBig } from '../numeric/requant.js';
import { type RoundRule, roundShiftBig } from '../numeric/round.js';
import { type Vector, entry, mapEnds } from './bounds.js';
import {
  type Integers,
  floorQuotient,
  floorQuotientBySign,
  plus,
  remainder,
  sum,
  times,
  truncatedQuotient,
} from './integers.js';
import type { Steps } from './steps.js';

/** p / 2^s under a rule, s from 0 to 62; a shift of 0 changes nothing. */
export function roundShift(
  steps: Steps,
  p: Integers,
  shifts: readonly number[],
  rule: RoundRule,
): Integers {
  if (shifts.every((s) => s === 0)) return p;
  const quotient = roundedQuotient(steps, p, shifts, rule);
  const exact = (v: bigint, c: number): bigint => rounded(v, entry(shifts, c), rule);
  return { ...quotient, bounds: mapEnds(p.bounds, [shifts], exact) };
}

function rounded(v: bigint, s: number, rule: RoundRule): bigint {
  return s === 0 ? v : roundShiftBig(v, s, rule);
}

/** (p + R) >> s. */
function roundedQuotient(
  steps: Steps,
  p: Integers,
  shifts: readonly number[],
  rule: RoundRule,
): Integers {
  const divisors = shifts.map(power);
  const half = shifts.map(halfOf);
  // What a rule adds besides a half must not reach channels that are not shifted.
  const unit: Vector = shifts.map((s) => (s === 0 ? 0n : 1n));
  const halfLess = half.map((h, i) => h - unit[i]!);
  const floor = (dividend: Integers): Integers => floorQuotient(steps, dividend, divisors);
  switch (rule) {
    case 'floor':
      return floor(p);
    case 'ceil':
      return floor(
        plus(
          p,
          divisors.map((divisor) => divisor - 1n),
        ),
      );
    case 'trunc0':
      return truncatedQuotient(steps, p, divisors);
    case 'halfUp':
      return floor(plus(p, half));
    case 'halfDown':
      return floor(plus(p, halfLess));
    case 'halfAway':
      return floorQuotientBySign(steps, p, p, [halfLess, half], divisors);
    case 'halfToZero':
      return floorQuotientBySign(steps, p, p, [half, halfLess], divisors);
    case 'halfEven':
      return floor(sum(steps, plus(p, halfLess), times(steps, parity(steps, p, shifts), unit)));
    case 'halfOdd':
      return floor(
        sum(steps, plus(p, half), times(steps, parity(steps, p, shifts), negated(unit))),
      );
  }
}

const power = (s: number): bigint => 1n << BigInt(s);

const halfOf = (s: number): bigint => (s === 0 ? 0n : power(s - 1));

const negated = (values: Vector): Vector => values.map((value) => -value);

/** The last bit of p >> s. */
function parity(steps: Steps, p: Integers, shifts: readonly number[]): Integers {
  return remainder(steps, floorQuotient(steps, p, shifts.map(power)), [2n]);
}

/**
 * a * m / 2^s under a rule, the double roundings included.
 *
 * @param shifts 1 to 62
 */
export function fixedPoint(
  steps: Steps,
  a: Integers,
  multipliers: Vector,
  shifts: readonly number[],
  rule: FixedRule,
): Integers {
  const p = times(steps, a, multipliers);
  if (rule !== 'gemmlowp2' && rule !== 'ruyx86') return roundShift(steps, p, shifts, rule);
  const divisors = shifts.map(power);
  // The first rounding's half, where there are two; gemmlowp takes it off below 0.
  const first = shifts.map((s) => (s > 31 ? 1n << 30n : 0n));
  const on = shifts.map((s, i) => halfOf(s) + first[i]!);
  const off = shifts.map((s, i) => halfOf(s) - first[i]!);
  const bySign = rule === 'gemmlowp2' && shifts.some((s) => s > 31);
  const quotient = bySign
    ? floorQuotientBySign(steps, p, a, [off, on], divisors)
    : floorQuotient(steps, plus(p, on), divisors);
  const exact = (v: bigint, c: number): bigint =>
    fixedPointBig(v, entry(multipliers, c), entry(shifts, c), rule);
  return { ...quotient, bounds: mapEnds(a.bounds, [multipliers, shifts], exact) };
}
