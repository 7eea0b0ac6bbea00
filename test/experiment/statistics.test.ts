// SPDX-License-Identifier: Apache-2.0
// Intervals against published and hand-worked numbers, and what they say of a claim.
import { csvOf, tableOf } from '../../src/experiment/document.js';
import {
  directed,
  paired95,
  reaching,
  untested,
  welch95,
} from '../../src/experiment/statistics.js';

const words = { id: 'x', statement: '', measurement: '', unit: '', statistic: '' };

test("Welch's interval by hand", () => {
  // Means 5 and 2, variances 10/3 and 5/3 over 4: standard error sqrt(5/4), freedom 5.4; t = 2.5142.
  const a = [3, 4, 6, 7];
  const b = [0.5, 1.5, 2.5, 3.5];
  const error = Math.sqrt(10 / 3 / 4 + 5 / 3 / 4);
  const { value, ci95 } = welch95(a, b)!;
  expect(value).toBe(3);
  expect((ci95[1] - ci95[0]) / 2 / error).toBeCloseTo(2.5142, 3);
  expect((ci95[0] + ci95[1]) / 2).toBeCloseTo(3, 12);
});

test('equal sizes and variances: freedom 2n - 2', () => {
  const a = [1, 2, 3, 4, 5];
  const { ci95 } = welch95(
    a,
    a.map((x) => x + 10),
  )!;
  // t of 8 degrees of freedom is 2.3060, the standard error sqrt(2.5 / 5 x 2) = 1.
  expect(ci95[0]).toBeCloseTo(-12.306, 3);
  expect(ci95[1]).toBeCloseTo(-7.694, 3);
});

test("Student's interval of paired differences", () => {
  // Mean 2, deviation sqrt(2.5), n = 5: 2.7764 x 0.70711.
  const { value, ci95 } = paired95([0, 1, 2, 3, 4])!;
  expect(value).toBe(2);
  expect(ci95[1] - value).toBeCloseTo(2.7764 * Math.sqrt(0.5), 3);
  expect(paired95([0, 0, 0])).toEqual({ value: 0, ci95: [0, 0] });
  expect(paired95([1, 1])).toBeUndefined();
  expect([paired95([1]), welch95([1], [1, 2]), welch95([1, 1], [2, 2])]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test.each([
  [1, [0.1, 2], 'shown'],
  [1, [-2, -0.1], 'refuted'],
  [1, [-1, 1], 'undecided'],
  [1, [0, 1], 'undecided'],
  [-1, [-2, -0.1], 'shown'],
  [-1, [0.1, 2], 'refuted'],
  [-1, [-1, 0], 'undecided'],
] as const)('expected %d, interval %j: %s', (expected, ci95, verdict) => {
  const value = (ci95[0] + ci95[1]) / 2;
  const claim = directed(words, { value, ci95 }, expected, 'nothing');
  expect(claim).toMatchObject({ verdict, value, ci95 });
  expect(claim.reason).toBe(verdict === 'undecided' ? 'the interval holds 0' : '');
});

test('nothing measured is undecided, with the reason', () => {
  const nothing = { verdict: 'undecided', value: null, ci95: null, reason: 'no net' };
  expect(directed(words, undefined, 1, 'no net')).toMatchObject(nothing);
  expect(untested(words, 'no net')).toMatchObject(nothing);
  expect([reaching(words, 60, true, '').verdict, reaching(words, 3, false, '').verdict]).toEqual([
    'shown',
    'refuted',
  ]);
});

test('tables: columns of all rows, absent cells empty, quotes doubled', () => {
  const table = tableOf('t', 'T', [
    { a: 1, b: 'x,"y"' },
    { b: null, c: undefined, d: 0.5 },
  ]);
  expect(table.columns).toEqual(['a', 'b', 'c', 'd']);
  expect(csvOf(table)).toBe('a,b,c,d\r\n1,"x,""y""",,\r\n,,,0.5\r\n');
});
