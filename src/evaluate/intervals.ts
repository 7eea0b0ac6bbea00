// SPDX-License-Identifier: Apache-2.0
import { jStat } from 'jstat';

/** Percent, or points of percent: [low, high]. */
export type Interval = readonly [low: number, high: number];

const z = jStat.normal.inv(0.975, 0, 1);

/**
 * 95 % interval of a share by Wilson's score method (E. B. Wilson, 1927), in percent.
 * @param hits how many of `n`; n is at least 1
 */
export function wilson95(hits: number, n: number): Interval {
  const share = hits / n;
  const middle = (share + (z * z) / (2 * n)) / (1 + (z * z) / n);
  const half =
    (z / (1 + (z * z) / n)) * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
  // The ends are exactly 0 and 100 where they should be, not a rounding error beside them.
  const low = hits === 0 ? 0 : Math.max(0, middle - half);
  const high = hits === n ? 1 : Math.min(1, middle + half);
  return [100 * low, 100 * high];
}

/** Two classifiers on the same images. */
export interface Paired {
  /** Points of percent, second minus first; negative is a loss. */
  readonly delta: number;
  readonly ci95: Interval;
  /** Images that only the second gets right. */
  readonly better: number;
  /** Images that only the first gets right. */
  readonly worse: number;
  /** Of the exact McNemar test, two-sided. */
  readonly pValue: number;
}

/**
 * Compares by the images on which the two disagree. The interval is Agresti and Min's (2005):
 * Wald's after adding a half to each of the four counts. The p-value is the exact binomial form of
 * McNemar's test: twice the smaller tail of Binomial(better + worse, 1/2), at most 1.
 * @param n number of images, at least 1
 */
export function paired95(better: number, worse: number, n: number): Paired {
  const size = n + 2;
  const [b, w] = [better + 0.5, worse + 0.5];
  const middle = (b - w) / size;
  const half = (z * Math.sqrt(b + w - (b - w) ** 2 / size)) / size;
  return {
    delta: (100 * (better - worse)) / n,
    ci95: [100 * Math.max(-1, middle - half), 100 * Math.min(1, middle + half)],
    better,
    worse,
    pValue: mcnemar(better, worse),
  };
}

function mcnemar(better: number, worse: number): number {
  const trials = better + worse;
  if (trials === 0 || better === worse) return 1;
  return Math.min(1, 2 * jStat.binomial.cdf(Math.min(better, worse), trials, 0.5));
}
