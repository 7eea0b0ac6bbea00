// SPDX-License-Identifier: Apache-2.0
// Parts of the quantizer by themselves, against numbers worked out by hand: what a whole network hides,
// because another choice there is nearly as good.
import type { ConvNode, Graph } from '../../src/graph/graph.js';
import { valueTerm } from '../../src/quantize/equalize/value-term.js';
import { schemesOf } from '../../src/quantize/mixed/schemes.js';
import { weightPairs } from '../../src/quantize/noise/weight-pairs.js';
import { exhaustive } from '../../src/quantize/po2/msqe.js';
import { qualityOf } from '../../src/quantize/po2/problem.js';
import { candidateRanges } from '../../src/quantize/ranges/candidates.js';
import { fixedQuantizations } from '../../src/quantize/ranges/fixed-quantizations.js';
import { percentileRange } from '../../src/quantize/ranges/methods.js';
import { constraints } from './small-graphs.js';

test('schemes: the widest of up to 8 bits and 4 bits, where there are such', () => {
  const schemes = (weightBits: number[], perChannelWeights: boolean) =>
    schemesOf({ ...constraints, weightBits, perChannelWeights });
  expect(schemes([2, 4, 8, 16], true)).toEqual([
    { bits: 8, perChannel: true },
    { bits: 8, perChannel: false },
    { bits: 4, perChannel: true },
    { bits: 4, perChannel: false },
  ]);
  expect(schemes([2, 5], false)).toEqual([{ bits: 5, perChannel: false }]);
  expect(schemes([4], false)).toEqual([{ bits: 4, perChannel: false }]);
});

test('pairs of channels: the largest weight on either side of zero, and the energy', () => {
  const shape = [2, 1, 1, 3];
  const data = Float32Array.of(0.5, -2, 1, -3, -1, -0.25);
  const conv = { op: 'Conv', name: 'c', inputs: ['x', 'w'], outputs: ['y'], group: 2 } as const;
  const graph = { constants: new Map([['w', { shape, data }]]) } as unknown as Graph;
  expect(weightPairs(graph, conv as unknown as ConvNode)).toEqual({
    outputs: 2,
    inputs: 2,
    perGroup: 1,
    positive: Float64Array.of(1, 0),
    negative: Float64Array.of(2, 3),
    energy: Float64Array.of(5.25, 10.0625),
    taps: 3,
  });
});

describe('the noise of a value', () => {
  const value = {
    value: 'v',
    min: Float32Array.of(-4, 0),
    max: Float32Array.of(2, 1),
    cost: Float64Array.of(3, 5),
  };
  const options = {
    ...{ iterations: 1, perChannelWeights: false, weightLevels: 255 },
    ...{ activationLevels: () => 255, asymmetricWeights: false },
  };
  /** The sides' ranges are norms of order 24 of what the channels hold, which is nearly the larger. */
  const byHand = (logs: readonly number[], asymmetric: boolean): number => {
    const scaled = (sizes: readonly number[]) =>
      sizes.map((size, c) => (size * Math.exp(logs[c]!)) ** 24).reduce((a, b) => a + b) ** (1 / 24);
    const width = asymmetric ? scaled([2, 1]) + scaled([4, 0]) : 2 * scaled([4, 1]);
    const cost = 3 * Math.exp(-2 * logs[0]!) + 5 * Math.exp(-2 * logs[1]!);
    return ((width / 255) ** 2 / 12) * cost;
  };

  test.each([true, false])('with a zero point: %s', (asymmetricActivations) => {
    const term = valueTerm(value, 0, { ...options, asymmetricActivations });
    const at = (logs: readonly number[]) => {
      const gradient = new Float64Array(2);
      return { noise: term([Float64Array.from(logs)], [gradient]), gradient };
    };
    const logs = [0.3, -0.2];
    const { noise, gradient } = at(logs);
    expect(noise).toBeCloseTo(byHand(logs, asymmetricActivations), 12);
    const step = 1e-5;
    for (const c of [0, 1]) {
      const moved = (by: number) => logs.map((log, i) => (i === c ? log + by : log));
      const slope = (at(moved(step)).noise - at(moved(-step)).noise) / (2 * step);
      expect(gradient[c]).toBeCloseTo(slope, 8);
    }
  });
});

describe('ranges', () => {
  /** Bins of width 1 from -2 to 2, ten values in all. */
  const histogram = {
    ...{ width: 1, side: 2, zeros: 0, min: -1.5, max: 1.75 },
    counts: Float64Array.of(1, 3, 5, 1),
  };

  test('a percentile drops whole bins at either end, as long as their share allows', () => {
    expect(percentileRange(histogram, 100)).toEqual({ min: -1.5, max: 1.75 });
    // A tenth: the first bin and the last.
    expect(percentileRange(histogram, 90)).toEqual({ min: -1, max: 1 });
    expect(percentileRange(histogram, 91)).toEqual({ min: -1.5, max: 1.75 });
    // Four tenths: two bins below; above, the last alone, as with the next it would be six.
    expect(percentileRange(histogram, 60)).toEqual({ min: 0, max: 1 });
  });

  test('candidates for data on one side keep zero, on both sides they meet in pairs', () => {
    const search = { quantize: () => ({ dtype: 's8', bits: 8, scale: 1, zeroPoint: 0 }) as const };
    const positive = candidateRanges({ ...histogram, min: 0 }, search, 'diagonal');
    expect(positive).toHaveLength(96);
    expect(positive.every(({ min }) => min === 0)).toBe(true);
    expect(candidateRanges({ ...histogram, max: 0 }, search, 'diagonal')).toHaveLength(96);
    const both = candidateRanges(histogram, search, 'diagonal');
    expect(both).toHaveLength(96 + 95 + 95);
    expect(new Set(both.map(({ min, max }) => `${min} ${max}`)).size).toBe(both.length);
    expect(candidateRanges(histogram, search, 'all')).toHaveLength(96 * 96);
  });

  test.each([
    ['u8', true, { scale: 1 / 256, zeroPoint: 0 }],
    ['s8', true, { scale: 1 / 256, zeroPoint: -128 }],
    ['s8', false, { scale: 1 / 128, zeroPoint: 0 }],
    ['s16', true, { scale: 1 / 32768, zeroPoint: 0 }],
  ] as const)('shares between 0 and 1 in %s, zero point %s', (dtype, zeroPoint, expected) => {
    const graph = { nodes: [{ op: 'Sigmoid', name: 's', inputs: ['x'], outputs: ['y'] }] };
    const scheme = { dtypes: [dtype], zeroPoint, powerOfTwo: false };
    const found = fixedQuantizations(graph as unknown as Graph, scheme);
    expect(found.get('y')).toMatchObject({ dtype, bits: dtype === 's16' ? 16 : 8, ...expected });
  });
});

describe('powers of two', () => {
  const narrow = { minCode: -7, maxCode: 7 };

  test('the oracle begins where nothing is clipped', () => {
    // At 2^0 all are exact; at 2^1 the odd ones are not.
    const weights = Float32Array.of(7, -3, 1);
    expect(exhaustive({ ...narrow, weights }).exponent).toBe(0);
    expect(exhaustive({ ...narrow, weights: weights.map((w) => w * 64) }).exponent).toBe(6);
    // 8 alone is 4 steps of 2; among many halves it is clipped to 3.5.
    expect(exhaustive({ ...narrow, weights: Float32Array.of(8, 0) }).exponent).toBe(1);
    const crowd = Float32Array.from([8, ...Array<number>(400).fill(0.5)]);
    expect(exhaustive({ ...narrow, weights: crowd }).exponent).toBe(-1);
  });

  test('clipped is what lies beyond the last code, not what meets it', () => {
    const weights = Float32Array.of(-8, -7, 0, 7, 7.4, 8);
    const quality = qualityOf({ ...narrow, weights }, 0);
    expect(quality.clippedShare).toBeCloseTo(2 / 6, 12);
    expect(quality.msqe).toBeCloseTo((1 + 0.16 + 1) / 6, 5);
  });
});
