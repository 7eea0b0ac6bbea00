// SPDX-License-Identifier: Apache-2.0
// Counts that differ in every direction, so that a quantity taken for its opposite shows.
import { placeLabel, tally, type ImageOutcome } from '../../src/evaluate/index.js';

/** Scores of seven classes whose label 0 has the given rank. */
const ranked = (rank: number) =>
  placeLabel([0, ...Array.from({ length: 6 }, (_, i) => (i < rank ? 1 + i : -1 - i))], 0);

const outcome = (quantized: number, float: number): ImageOutcome => ({
  name: '',
  label: 0,
  quantized: ranked(quantized),
  float: ranked(float),
});

test('the sign of the paired difference, better and worse, top-5 of either side', () => {
  const result = tally([
    ...[0, 0, 0, 0].map(() => outcome(0, 0)), // both right
    ...[0, 0, 0].map(() => outcome(2, 0)), // float alone
    outcome(0, 4), // quantized alone
    outcome(4, 6), // in the quantized five alone
    outcome(5, 1), // in the float five alone
    outcome(6, 5),
    outcome(5, 6),
  ]);
  expect(result).toMatchObject({
    n: 12,
    paired: { better: 1, worse: 3 },
    top1Agreement: expect.closeTo((100 * 4) / 12, 10) as number,
  });
  expect(result.top1).toBeCloseTo((100 * 5) / 12, 10);
  expect(result.top5).toBeCloseTo((100 * 9) / 12, 10);
  expect(result.float!.top1).toBeCloseTo((100 * 7) / 12, 10);
  expect(result.float!.top5).toBeCloseTo((100 * 9) / 12, 10);
  // A loss is negative: two images of twelve.
  expect(result.paired!.delta).toBeCloseTo((-100 * 2) / 12, 10);
  expect(result.paired!.ci95[0]).toBeLessThan(result.paired!.delta);
  expect(result.paired!.ci95[1]).toBeGreaterThan(result.paired!.delta);
});

test('top-5 ends behind the fifth place', () => {
  expect(tally([4, 5].map((rank) => outcome(rank, rank))).top5).toBe(50);
  expect(tally([4, 4].map((rank) => outcome(rank, 5)))).toMatchObject({
    top5: 100,
    float: { top5: 0 },
  });
});

test('agreement is about the class, not about being right', () => {
  const wrong = (top: number, floatTop: number): ImageOutcome => {
    const scores = (best: number) => [0, 1, 2].map((c) => (c === best ? 5 : 0));
    return {
      name: '',
      label: 0,
      quantized: placeLabel(scores(top), 0),
      float: placeLabel(scores(floatTop), 0),
    };
  };
  expect(tally([wrong(1, 1), wrong(1, 2), wrong(2, 2)]).top1Agreement).toBeCloseTo(200 / 3, 10);
});

test('ties count apart from hits', () => {
  const tie = (label: number): ImageOutcome => ({
    name: '',
    label,
    quantized: placeLabel([3, 3, 1], label),
  });
  expect(tally([tie(0), tie(1), tie(2)])).toMatchObject({
    tiesAtTopPercent: 100,
    top1: expect.closeTo(100 / 3, 10) as number,
    top1IfTiesCount: expect.closeTo(200 / 3, 10) as number,
  });
  expect(tally([{ name: '', label: 0, quantized: placeLabel([2, 1], 0) }])).toMatchObject({
    tiesAtTopPercent: 0,
    top1: 100,
    top1IfTiesCount: 100,
  });
});

test('float figures only where every image has them', () => {
  const [first, second] = [outcome(0, 0), outcome(1, 0)];
  const alone: ImageOutcome = { name: '', label: 0, quantized: second.quantized };
  expect(tally([first, alone])).not.toHaveProperty('paired');
  expect(tally([first, second])).toHaveProperty('paired');
});
