// SPDX-License-Identifier: Apache-2.0
// The fixed-point functions against gemmlowp itself: values from test/oracles/gemmlowp.cc.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expOnNegativeValues, oneOverOnePlus, rdbpot, srdhm } from '../../src/numeric/gemmlowp.js';
import { fixedPoint, fixedPointBig } from '../../src/numeric/requant.js';
import { softmax } from '../../src/program/interpret/softmax.js';
import type { ProgramTensor, SoftmaxOp } from '../../src/program/program.js';

type Rows = readonly (readonly number[])[];

const golden = JSON.parse(
  readFileSync(join(__dirname, '../golden/gemmlowp/fixed-point.json'), 'utf8'),
) as Record<
  'highMul' | 'divideByPowerOfTwo' | 'doubleRounding' | 'exp' | 'reciprocal' | 'softmax',
  Rows
>;

/** Rows whose last entry is not what `compute` makes of the others. */
function wrong(rows: Rows, compute: (...args: number[]) => number): Rows {
  expect(rows.length).toBeGreaterThan(100);
  return rows.filter((row) => compute(...row.slice(0, -1)) !== row.at(-1));
}

describe('gemmlowp', () => {
  test('saturating rounding doubling high multiply', () => {
    expect(wrong(golden.highMul, srdhm)).toEqual([]);
  });

  test('rounding divide by power of two', () => {
    const divide = (a: number, k: number): number => rdbpot(a, k) + 0;
    expect(wrong(golden.divideByPowerOfTwo, divide)).toEqual([]);
  });

  test('rule gemmlowp2 is the high multiply followed by the rounding divide', () => {
    const onNumbers = (a?: number, m?: number, s?: number): number =>
      fixedPoint(a!, m!, s!, 'gemmlowp2') + 0;
    const onBigInts = (a?: number, m?: number, s?: number): number =>
      Number(fixedPointBig(BigInt(a!), BigInt(m!), s!, 'gemmlowp2'));
    expect(wrong(golden.doubleRounding, onNumbers)).toEqual([]);
    expect(wrong(golden.doubleRounding, onBigInts)).toEqual([]);
  });

  test('half up differs from it on these values, so they tell the rules apart', () => {
    const halfUp = (a?: number, m?: number, s?: number): number =>
      fixedPoint(a!, m!, s!, 'halfUp') + 0;
    expect(wrong(golden.doubleRounding, halfUp).length).toBeGreaterThan(20);
  });

  test('exp on negative values', () => {
    expect(wrong(golden.exp, expOnNegativeValues)).toEqual([]);
  });

  test('1 / (1 + x)', () => {
    expect(wrong(golden.reciprocal, oneOverOnePlus)).toEqual([]);
  });

  test('softmax rows', () => {
    for (const [multiplier, leftShift, diffMin, count, ...values] of golden.softmax) {
      const [logits, expected] = [values.slice(0, count), values.slice(count)];
      const codes = new Int8Array(count!);
      softmax(
        {
          op: 'softmax',
          name: 'softmax',
          inputs: [0],
          output: 1,
          form: {
            kind: 'gemmlowp',
            multiplier: multiplier!,
            leftShift: leftShift!,
            diffMin: diffMin!,
          },
        } satisfies SoftmaxOp,
        { dtype: 's8', channels: count } as ProgramTensor,
        Int8Array.from(logits),
        codes,
      );
      expect(Array.from(codes)).toEqual(expected);
    }
  });
});
