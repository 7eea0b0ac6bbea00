// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';

import {
  energyOf,
  paired95,
  placeLabel,
  tally,
  topClasses,
  wilson95,
} from '../../src/evaluate/index.js';

describe('top-k', () => {
  test('ties go to the lower index', () => {
    expect(topClasses([1, 5, 5, 0, 5], 3)).toEqual([
      { index: 1, score: 5 },
      { index: 2, score: 5 },
      { index: 4, score: 5 },
    ]);
    expect(placeLabel([1, 5, 5, 0, 5], 1)).toEqual({
      top: 1,
      rank: 0,
      tiedAtTop: true,
      hitIfTiesCount: true,
    });
    expect(placeLabel([1, 5, 5, 0, 5], 4)).toEqual({
      top: 1,
      rank: 2,
      tiedAtTop: true,
      hitIfTiesCount: true,
    });
    expect(placeLabel([1, 5, 5, 0, 5], 0)).toMatchObject({ rank: 3, hitIfTiesCount: false });
  });

  test('the rank is the position in the sorted list', () => {
    const scores = fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(scores, fc.nat(), (values, pick) => {
        const label = pick % values.length;
        const sorted = topClasses(values, values.length);
        const placed = placeLabel(Int8Array.from(values), label);
        expect(placed.rank).toBe(sorted.findIndex(({ index }) => index === label));
        expect(placed.top).toBe(sorted[0]!.index);
        expect(placed.tiedAtTop).toBe(
          sorted.filter((c) => c.score === sorted[0]!.score).length > 1,
        );
      }),
    );
  });
});

describe('wilson95', () => {
  // Newcombe 1998, table I, method 3 (score without continuity correction).
  test.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])('%d of %d', (hits, n, low, high) => {
    const [a, b] = wilson95(hits, n);
    expect(a / 100).toBeCloseTo(low, 4);
    expect(b / 100).toBeCloseTo(high, 4);
  });

  test('ends exactly at 0 and 100', () => {
    expect(wilson95(0, 650)[0]).toBe(0);
    expect(wilson95(650, 650)[1]).toBe(100);
  });
});

describe('paired95', () => {
  /** Two-sided binomial by summing the terms, an independent way to the p-value. */
  const exact = (better: number, worse: number): number => {
    const n = better + worse;
    let term = 0.5 ** n;
    let tail = 0;
    for (let k = 0; k <= Math.min(better, worse); k++) {
      tail += term;
      term = (term * (n - k)) / (k + 1);
    }
    return Math.min(1, 2 * tail);
  };

  test.each([
    [0, 0],
    [0, 1],
    [0, 6],
    [5, 12],
    [12, 5],
    [30, 30],
    [20, 60],
    [3, 400],
  ])('p-value of %d better, %d worse', (better, worse) => {
    const { pValue } = paired95(better, worse, 650);
    expect(pValue).toBeCloseTo(exact(better, worse), 10);
    if (worse === 400) expect(pValue).toBeLessThan(1e-100);
  });

  test('delta in points, negative for a loss, within its interval', () => {
    const loss = paired95(4, 10, 650);
    expect(loss.delta).toBeCloseTo(-0.923, 3);
    // By hand: (4.5 - 10.5) / 652 -+ 1.959964 sqrt(15 - 36 / 652) / 652.
    expect(loss.ci95[0]).toBeCloseTo(-2.0823, 3);
    expect(loss.ci95[1]).toBeCloseTo(0.2419, 3);
    // (10.5 - 0.5) / 12 + 1.96 sqrt(11 - 100 / 12) / 12 is more than 1.
    expect(paired95(10, 0, 10).ci95[1]).toBe(100);
    expect(paired95(0, 10, 10).ci95[0]).toBe(-100);
    const equal = paired95(0, 0, 10);
    expect(equal).toMatchObject({ delta: 0, pValue: 1 });
    expect(equal.ci95[0]).toBeLessThan(0);
    expect(equal.ci95[1]).toBeGreaterThan(0);
  });
});

test('tally counts shares, ties and pairs', () => {
  const outcome = (quantized: number[], float: number[], label: number) => ({
    name: '',
    label,
    quantized: placeLabel(quantized, label),
    float: placeLabel(float, label),
    energy: energyOf(quantized, float),
  });
  const result = tally([
    outcome([9, 1, 1], [9, 1, 2], 0), // both right
    outcome([7, 7, 1], [1, 9, 2], 1), // a tie lost
    outcome([1, 2, 9], [9, 1, 2], 2), // better
    outcome([9, 1, 2], [9, 1, 2], 1), // both wrong
  ]);
  expect(result).toMatchObject({
    n: 4,
    top1: 50,
    top5: 100,
    tiesAtTopPercent: 25,
    top1IfTiesCount: 75,
    float: { top1: 50, top5: 100 },
    paired: { delta: 0, better: 1, worse: 1, pValue: 1 },
    top1Agreement: 50,
  });
  // Errors 1; 6, 2, 1; 8, 1, 7; none.
  expect(result.scoreSqnrDb).toBeCloseTo(10 * Math.log10((4 * 86) / 156), 10);
  expect(tally([outcome([1, 2], [1, 2], 0)]).scoreSqnrDb).toBeNull();
  expect(tally([{ name: '', label: 0, quantized: placeLabel([1, 0], 0) }]).paired).toBeUndefined();
});
