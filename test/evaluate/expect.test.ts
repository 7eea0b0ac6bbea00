// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  checkExpectation,
  detectableDrop,
  paired95,
  readExpectation,
  requireNoFloat,
  type Accuracy,
} from '../../src/evaluate/index.js';

const accuracy = (n: number, top1: number, better: number, worse: number): Accuracy => ({
  ...{ n, top1, top1Ci95: [0, 100], top5: 100, tiesAtTopPercent: 0, top1IfTiesCount: top1 },
  ...{ float: { top1: 70, top5: 90 }, paired: paired95(better, worse, n), top1Agreement: 94 },
});
function withoutPair(given: Accuracy): Accuracy {
  const { paired, ...rest } = given;
  expect(paired).toBeDefined();
  return rest;
}
const sheng = { name: 'sheng2018' };

test('Sheng 2018 on the whole set: 68.03 % and not a bit less', () => {
  const check = (top1: number) => checkExpectation(sheng, accuracy(50_000, top1, 0, 5000));
  expect(check(68.03)).toEqual({
    name: 'sheng2018',
    ok: true,
    checks: [{ figure: 'top1', bound: 68.03, value: 68.03, ok: true, how: 'on the whole set' }],
  });
  expect(check(68.02).ok).toBe(false);
});

test('Sheng 2018 on a subset: the upper end of the paired loss, whatever the top-1', () => {
  const check = (better: number, worse: number) =>
    checkExpectation(sheng, accuracy(650, 90, better, worse));
  const even = check(5, 5);
  expect(even.ok).toBe(true);
  const { value, how } = even.checks[0]!;
  expect(value).toBeCloseTo(-paired95(5, 5, 650).ci95[0], 12);
  expect(how).toContain('650 images are a subset');
  // Ten images worse of 650: 1.5 points, but the interval reaches 2.8.
  expect(check(5, 15).ok).toBe(false);
  expect(() => checkExpectation(sheng, withoutPair(accuracy(650, 90, 0, 0)))).toThrow(
    /missing-option.*--float/,
  );
});

test('what needs a float model is refused before the first image', () => {
  for (const [expected, images] of [
    [sheng, 49_999],
    [{ drop: 1 }, 50_000],
    [{ agreement: 90 }, 50_000],
  ] as const) {
    expect(() => {
      requireNoFloat(expected, images);
    }).toThrow(/missing-option.*--float/);
  }
  expect(() => {
    requireNoFloat(sheng, 50_000);
    requireNoFloat({ top1: 68 }, 10);
  }).not.toThrow();
});

test('gates of one’s own: each figure by itself', () => {
  const given = accuracy(1000, 70, 10, 20);
  const figures = (expected: Parameters<typeof checkExpectation>[0]) =>
    checkExpectation(expected, given).checks.map(({ figure, ok }) => [figure, ok]);
  expect(figures({ top1: 70, drop: 3, agreement: 94 })).toEqual([
    ['top1', true],
    ['drop', true],
    ['agreement', true],
  ]);
  expect(figures({ top1: 70.1, drop: 1, agreement: 95 })).toEqual([
    ['top1', false],
    ['drop', false],
    ['agreement', false],
  ]);
  expect(checkExpectation({ top1: 70, agreement: 95 }, given).ok).toBe(false);
});

describe('files', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'lastbit-expect-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  test('a JSON file, by its name or its own', () => {
    const file = join(folder, 'gate.json');
    writeFileSync(file, '{ "top1": 60 }');
    expect(readExpectation(file)).toEqual({ name: file, top1: 60 });
    expect(readExpectation('sheng2018')).toEqual(sheng);
  });

  test.each([
    ['{', /it is no JSON/],
    ['{}', /at least one of/],
    ['{ "top1": 101 }', /top1/],
    ['{ "top-1": 60 }', /top-1/],
  ])('%s', (text, message) => {
    const file = join(folder, 'bad.json');
    writeFileSync(file, text);
    expect(() => readExpectation(file)).toThrow(/bad-expectation/);
    expect(() => readExpectation(file)).toThrow(message);
  });

  test('no file', () => {
    expect(() => readExpectation('sheng2019')).toThrow(/bad-expectation.*expected sheng2018/);
  });
});

test('what so many images could tell from none', () => {
  const few = detectableDrop(accuracy(100, 70, 5, 5))!;
  const many = detectableDrop(accuracy(10_000, 70, 500, 500))!;
  // A hundred times as many images that part as often: a tenth.
  expect(few / many).toBeCloseTo(10, 0);
  expect(detectableDrop(withoutPair(accuracy(100, 70, 5, 5)))).toBeUndefined();
});
