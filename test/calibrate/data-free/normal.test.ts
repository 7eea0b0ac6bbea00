// SPDX-License-Identifier: Apache-2.0
import { histogramOf, rangeOf } from '../../../src/calibrate/data-free/histogram.js';
import { mapDistribution } from '../../../src/calibrate/data-free/map-distribution.js';
import {
  clampedMoments,
  insideShare,
  distributionFrom,
  type Distribution,
} from '../../../src/calibrate/data-free/normal.js';
import { draws, momentsOfValues } from './draws.js';

const count = 200_000;

const cases: readonly (readonly [string, Distribution])[] = [
  ['open', { mean: 0.7, std: 2, lo: -Infinity, hi: Infinity }],
  ['ReLU', { mean: -0.4, std: 1.5, lo: 0, hi: Infinity }],
  ['ReLU6, clamped at both ends', { mean: 3, std: 4, lo: 0, hi: 6 }],
  ['nearly always zero', { mean: -5, std: 2, lo: 0, hi: 6 }],
  ['nearly always six', { mean: 9, std: 2, lo: 0, hi: 6 }],
  ['a clamp away from zero', { mean: 0, std: 1, lo: -0.5, hi: 2 }],
  ['constant', { mean: 4, std: 0, lo: 0, hi: 6 }],
  ['constant beyond the clamp', { mean: -4, std: 0, lo: 0, hi: 6 }],
];

describe.each(cases)('a clamped normal, %s', (_, distribution) => {
  const values = draws(distribution, count, 11);

  it('has the moments of its draws', () => {
    const { mean, variance } = clampedMoments(distribution);
    const drawn = momentsOfValues(values);
    // Five standard errors of a mean, and of a variance (fourth moments are below 10 std^4).
    expect(Math.abs(mean - drawn.mean)).toBeLessThanOrEqual(
      (5 * distribution.std) / Math.sqrt(count),
    );
    expect(Math.abs(variance - drawn.variance)).toBeLessThanOrEqual(
      (5 * 3.2 * distribution.std ** 2) / Math.sqrt(count),
    );
  });

  it('has as many values inside the clamp as its draws', () => {
    const inside = values.filter((x) => x > distribution.lo && x < distribution.hi).length / count;
    expect(Math.abs(insideShare(distribution) - inside)).toBeLessThan(0.006);
  });

  it('has the histogram of its draws', () => {
    const histogram = histogramOf(
      distributionFrom(1, () => distribution),
      1,
    );
    const { counts, side, width, zeros } = histogram;
    expect(counts.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 9);
    expect(Math.abs(zeros - values.filter((x) => x === 0).length / count)).toBeLessThan(0.006);
    const drawn = new Float64Array(counts.length);
    for (const value of values) drawn[side + Math.floor(value / width)]! += 1 / count;
    let [distance, furthest] = [0, 0];
    counts.forEach((share, bin) => {
      distance += share - drawn[bin]!;
      furthest = Math.max(furthest, Math.abs(distance));
    });
    expect(furthest).toBeLessThan(0.006);
  });
});

test('a range ends six deviations from the mean, or at the clamp', () => {
  const distribution = distributionFrom(2, (c) => ({ mean: c, std: 1, lo: -2, hi: Infinity }));
  expect(rangeOf(distribution)).toEqual({ min: -2, max: 7 });
});

test('a function of a distribution has the moments of the function of its draws', () => {
  const distribution: Distribution = { mean: -0.5, std: 2, lo: -6, hi: 6 };
  const swish = (x: number): number => x * Math.min(1, Math.max(0, x / 6 + 0.5));
  const mapped = mapDistribution(
    distributionFrom(1, () => distribution),
    swish,
  );
  const drawn = momentsOfValues(draws(distribution, count, 3).map(swish));
  expect(mapped.mean[0]).toBeCloseTo(drawn.mean, 1);
  expect(mapped.std[0]! ** 2 / drawn.variance).toBeCloseTo(1, 1);
  expect(mapped.lo[0]).toBeCloseTo(-0.375, 3);
  expect(mapped.hi[0]).toBe(6);
});
