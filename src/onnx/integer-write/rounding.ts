// SPDX-License-Identifier: Apache-2.0
// program/NOTES.md, "Rounding rules": (p + R) >> s for every rule. Shifts may differ by channel.
import type { FixedRule, RoundRule } from '../../program/program.js';
import { fixedPointBig, roundShiftBig } from '../../program/rounding.js';
import { type Vector, byChannel, entry, mapEnds } from './bounds.js';
import {
  type Integers,
  floorQuotient,
  integers,
  isNegative,
  plus,
  remainder,
  settle,
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
  const divisors = shifts.map((s) => 1n << BigInt(s));
  const quotient =
    rule === 'trunc0'
      ? truncatedQuotient(steps, p, divisors)
      : floorQuotient(steps, withAddend(steps, p, shifts, rule), divisors);
  const exact = (v: bigint, c: number): bigint => rounded(v, entry(shifts, c), rule);
  return { ...quotient, bounds: mapEnds(p.bounds, [shifts], exact) };
}

function rounded(v: bigint, s: number, rule: RoundRule): bigint {
  return s === 0 ? v : roundShiftBig(v, s, rule);
}

/** p + R of the rules that end in a floor. */
function withAddend(
  steps: Steps,
  p: Integers,
  shifts: readonly number[],
  rule: Exclude<RoundRule, 'trunc0'>,
): Integers {
  const half = shifts.map(halfOf);
  // What a rule adds besides a half must not reach channels that are not shifted.
  const unit: Vector = shifts.map((s) => (s === 0 ? 0n : 1n));
  const halfLess = half.map((h, i) => h - unit[i]!);
  switch (rule) {
    case 'floor':
      return p;
    case 'ceil':
      return plus(
        p,
        shifts.map((s) => (1n << BigInt(s)) - 1n),
      );
    case 'halfUp':
      return plus(p, half);
    case 'halfDown':
      return plus(p, halfLess);
    case 'halfAway':
      return sum(steps, plus(p, half), times(steps, isNegative(steps, p), negated(unit)));
    case 'halfToZero':
      return sum(steps, plus(p, halfLess), times(steps, isNegative(steps, p), unit));
    case 'halfEven':
      return sum(steps, plus(p, halfLess), times(steps, parity(steps, p, shifts), unit));
    case 'halfOdd':
      return sum(steps, plus(p, half), times(steps, parity(steps, p, shifts), negated(unit)));
  }
}

const halfOf = (s: number): bigint => (s === 0 ? 0n : 1n << BigInt(s - 1));

const negated = (values: Vector): Vector => values.map((value) => -value);

/** The last bit of p >> s. */
function parity(steps: Steps, p: Integers, shifts: readonly number[]): Integers {
  const divisors = shifts.map((s) => 1n << BigInt(s));
  return remainder(steps, floorQuotient(steps, p, divisors), [2n]);
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
  const settled = integers(steps, settle(steps, a), a.bounds);
  const p = times(steps, settled, multipliers);
  if (rule !== 'gemmlowp2' && rule !== 'ruyx86') return roundShift(steps, p, shifts, rule);
  const first: Vector = shifts.map((s) => (s > 31 ? 1n << 30n : 0n));
  const raised = plus(
    p,
    byChannel([shifts, first], (c) => halfOf(entry(shifts, c)) + entry(first, c)),
  );
  const addends = rule === 'ruyx86' ? raised : lowered(steps, raised, settled, first);
  const quotient = floorQuotient(
    steps,
    addends,
    shifts.map((s) => 1n << BigInt(s)),
  );
  const exact = (v: bigint, c: number): bigint =>
    fixedPointBig(v, entry(multipliers, c), entry(shifts, c), rule);
  return { ...quotient, bounds: mapEnds(a.bounds, [multipliers, shifts], exact) };
}

/** gemmlowp's first rounding takes 2^30 off, not on, where the accumulator is negative. */
function lowered(steps: Steps, raised: Integers, a: Integers, first: Vector): Integers {
  const none = first.every((value) => value === 0n);
  const never = a.bounds.every(([least]) => least >= 0n);
  if (none || never) return raised;
  const twice = first.map((value) => -2n * value);
  return sum(steps, raised, times(steps, isNegative(steps, a), twice));
}
