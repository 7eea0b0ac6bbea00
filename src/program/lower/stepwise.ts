// SPDX-License-Identifier: Apache-2.0
import type { Requant } from '../program.js';

/** A range of integers, both ends in it. */
export type Interval = readonly [least: number, greatest: number];

/**
 * The requantization that gives code(a) for every sum a of a range, by one threshold for each code.
 * For functions that no multiplier and rounding rule express.
 *
 * @param code does not descend; what lies outside of `codes` is clamped
 * @param zeroPoint of the output, which is added afterwards
 */
export function stepwise(
  sums: Interval,
  codes: Interval,
  zeroPoint: number,
  code: (sum: number) => number,
): Requant {
  const [lowest, highest] = codes;
  const values = BigInt64Array.from({ length: highest - lowest }, (_, k) =>
    BigInt(firstReaching(sums, lowest + 1 + k, code)),
  );
  return {
    kind: 'stages',
    stages: [
      { kind: 'thresholds', count: values.length, values, strict: false },
      { kind: 'add', value: BigInt64Array.of(BigInt(lowest - zeroPoint)) },
    ],
  };
}

/** The least sum whose code is `wanted` or above, by bisection; beyond the range if there is none. */
function firstReaching(
  [least, greatest]: Interval,
  wanted: number,
  code: (sum: number) => number,
): number {
  let [from, to] = [least, greatest + 1];
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    if (code(middle) >= wanted) to = middle;
    else from = middle + 1;
  }
  return to;
}
