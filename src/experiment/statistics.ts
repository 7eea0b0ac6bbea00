// SPDX-License-Identifier: Apache-2.0
// Differences with their intervals, and what they say of a claim.
import { jStat } from 'jstat';
import type { Claim, Verdict } from './document.js';

/** A difference or a mean with its 95 % interval. */
export interface Estimate {
  readonly value: number;
  readonly ci95: readonly [number, number];
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

/** Of the mean, by the sample's variance. */
function squaredError(values: readonly number[]): number {
  const middle = mean(values);
  const sum = values.reduce((total, value) => total + (value - middle) ** 2, 0);
  return sum / (values.length - 1) / values.length;
}

/**
 * Mean of a minus mean of b, with Welch's interval (B. L. Welch, 1947; degrees of freedom by
 * Satterthwaite). Undefined where either has fewer than two values or neither varies.
 */
export function welch95(a: readonly number[], b: readonly number[]): Estimate | undefined {
  if (a.length < 2 || b.length < 2) return undefined;
  const [ea, eb] = [squaredError(a), squaredError(b)];
  if (ea + eb === 0) return undefined;
  const freedom = (ea + eb) ** 2 / (ea ** 2 / (a.length - 1) + eb ** 2 / (b.length - 1));
  return around(mean(a) - mean(b), Math.sqrt(ea + eb), freedom);
}

/**
 * Mean of paired differences with Student's interval. Undefined for fewer than two, and where all are
 * equal but not 0.
 */
export function paired95(differences: readonly number[]): Estimate | undefined {
  if (differences.length < 2) return undefined;
  const error = Math.sqrt(squaredError(differences));
  const value = mean(differences);
  if (error === 0) return value === 0 ? { value, ci95: [0, 0] } : undefined;
  return around(value, error, differences.length - 1);
}

function around(value: number, error: number, freedom: number): Estimate {
  const half = jStat.studentt.inv(0.975, freedom) * error;
  return { value, ci95: [value - half, value + half] };
}

/** What a claim needs besides its numbers. */
type Words = Omit<Claim, 'value' | 'ci95' | 'verdict' | 'reason'>;

/**
 * A claim that a difference is above 0 (`expected` 1) or below (-1): shown or refuted where the interval
 * leaves 0 on one side, undecided where it does not.
 *
 * @param missing why there is nothing to measure, where there is nothing
 */
export function directed(
  words: Words,
  estimate: Estimate | undefined,
  expected: 1 | -1,
  missing: string,
): Claim {
  if (estimate === undefined)
    return { ...words, value: null, ci95: null, verdict: 'undecided', reason: missing };
  const { value, ci95 } = estimate;
  const [low, high] = expected === 1 ? ci95 : [-ci95[1], -ci95[0]];
  const verdict: Verdict = low > 0 ? 'shown' : high < 0 ? 'refuted' : 'undecided';
  const reason = verdict === 'undecided' ? 'the interval holds 0' : '';
  return { ...words, value, ci95, verdict, reason };
}

/** A claim that a number reaches a bound, without an interval of its own. */
export function reaching(words: Words, value: number, isReached: boolean, reason: string): Claim {
  return { ...words, value, ci95: null, verdict: isReached ? 'shown' : 'refuted', reason };
}

/** A claim that cannot be tested with what is here. */
export function untested(words: Words, reason: string): Claim {
  return { ...words, value: null, ci95: null, verdict: 'undecided', reason };
}
