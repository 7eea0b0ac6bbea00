// SPDX-License-Identifier: Apache-2.0
import { UsageError } from '../../../src/errors.js';
import { fitBias, quantizeBias } from '../../../src/quantize/codes/bias.js';
import { chooseWeightGrid, squaredError } from '../../../src/quantize/weights/choose-grid.js';
import {
  dequantizeWeights,
  quantizeWeights,
  weightLimits,
  weightScheme,
  type WeightScheme,
} from '../../../src/quantize/codes/weights.js';
import { constraints } from '../small-graphs.js';

const perChannel: WeightScheme = {
  dtype: 's8',
  bits: 8,
  perChannel: true,
  zeroPoint: false,
  narrow: true,
  powerOfTwo: false,
};
const perTensor: WeightScheme = { ...perChannel, perChannel: false };

describe('weightScheme', () => {
  it('takes what the target allows and refuses the rest', () => {
    expect(weightScheme(constraints)).toMatchObject({ perChannel: true, bits: 8, narrow: true });
    expect(weightScheme(constraints, { perChannel: false, bits: 4 })).toMatchObject({
      perChannel: false,
      bits: 4,
    });
    expect(() => weightScheme(constraints, { bits: 5 })).toThrow(UsageError);
    const tensorOnly = { ...constraints, perChannelWeights: false };
    expect(() => weightScheme(tensorOnly, { perChannel: true })).toThrow(/per-tensor/);
    expect(weightScheme(tensorOnly).perChannel).toBe(false);
  });

  it('defaults to one shift per tensor where scales are powers of two', () => {
    expect(weightScheme({ ...constraints, scales: 'powerOfTwo' }).perChannel).toBe(false);
  });
});

describe('chooseWeightGrid', () => {
  const data = Float32Array.of(1.27, -0.5, 0, 0.02, -12.7, 6);

  it('per channel: the largest magnitude becomes 127', () => {
    const grid = chooseWeightGrid(data, 2, perChannel, 'minmax');
    expect([...grid.scales]).toEqual([Math.fround(1.27 / 127), Math.fround(12.7 / 127)]);
    expect([...grid.zeroPoints]).toEqual([0, 0]);
    const weight = quantizeWeights(data, [2, 3, 1, 1], perChannel, grid);
    expect([...weight.data]).toEqual([127, -50, 0, 0, -127, 60]);
  });

  it('per tensor with a zero point: 255 steps from least to greatest', () => {
    const scheme: WeightScheme = { ...perTensor, dtype: 'u8', zeroPoint: true, narrow: false };
    const grid = chooseWeightGrid(Float32Array.of(-1, 0, 1.55), 1, scheme, 'minmax');
    expect(grid.scales[0]).toBeCloseTo(0.01, 8);
    expect(grid.zeroPoints[0]).toBe(100);
    const weight = quantizeWeights(Float32Array.of(-1, 0, 1.55), [1, 3, 1, 1], scheme, grid);
    expect([...weight.data]).toEqual([0, 100, 255]);
  });

  it('gives a channel of zeros the largest scale of the others', () => {
    const zeros = Float32Array.of(0, 0, 1.27, 0, 2.54, 0);
    const { scales } = chooseWeightGrid(zeros, 3, perChannel, 'minmax');
    expect(scales[0]).toBe(scales[2]);
    expect([...chooseWeightGrid(new Float32Array(4), 2, perChannel, 'mse').scales]).toEqual([1, 1]);
  });

  it('mse clips one outlier where that costs less, and never costs more than min-max', () => {
    const bulk = Float32Array.from({ length: 4000 }, (_, i) => Math.sin(i * 12.9898) * 0.1);
    bulk[7] = 1;
    for (const bits of [8, 4]) {
      const scheme = { ...perTensor, bits };
      const full = chooseWeightGrid(bulk, 1, scheme, 'minmax');
      const least = chooseWeightGrid(bulk, 1, scheme, 'mse');
      const errorOf = (grid: typeof full): number =>
        squaredError(bulk, { scale: grid.scales[0]!, zeroPoint: 0 }, scheme);
      expect(errorOf(least)).toBeLessThanOrEqual(errorOf(full));
      if (bits === 4) expect(least.scales[0]).toBeLessThan(full.scales[0]!);
    }
  });

  it('powers of two: mse is the best of all exponents', () => {
    const scheme: WeightScheme = { ...perTensor, powerOfTwo: true, bits: 4 };
    const values = Float32Array.from({ length: 300 }, (_, i) => Math.sin(i * 78.233) ** 3);
    const { scales } = chooseWeightGrid(values, 1, scheme, 'mse');
    expect(Number.isInteger(Math.log2(scales[0]!))).toBe(true);
    const errors = [-6, -5, -4, -3, -2, -1, 0].map((e) =>
      squaredError(values, { scale: 2 ** e, zeroPoint: 0 }, scheme),
    );
    expect(Math.log2(scales[0]!)).toBe(errors.indexOf(Math.min(...errors)) - 6);
  });

  it('importance decides which weights may be clipped', () => {
    const values = Float32Array.of(...new Array<number>(500).fill(0.2), 1);
    const bulk = new Float32Array(501).fill(1);
    const outlier = new Float32Array(501).fill(1e-6);
    outlier[500] = 1;
    const scheme = { ...perTensor, bits: 3 };
    const forBulk = chooseWeightGrid(values, 1, scheme, 'mse', bulk).scales[0]!;
    const forOutlier = chooseWeightGrid(values, 1, scheme, 'mse', outlier).scales[0]!;
    expect(forBulk).toBeLessThan(forOutlier);
  });

  it.each([2, 3, 4, 5, 6, 7, 8])('narrow %d-bit codes are symmetric', (bits) => {
    expect(weightLimits({ ...perTensor, bits })).toEqual([
      -(2 ** (bits - 1)) + 1,
      2 ** (bits - 1) - 1,
    ]);
  });

  it('dequantizes to within half a step', () => {
    const grid = chooseWeightGrid(data, 2, perChannel, 'minmax');
    const real = dequantizeWeights(quantizeWeights(data, [2, 3, 1, 1], perChannel, grid));
    real.forEach((value, i) => {
      expect(Math.abs(value - data[i]!)).toBeLessThanOrEqual(grid.scales[i < 3 ? 0 : 1]! * 0.5001);
    });
  });
});

describe('bias', () => {
  it('is rounded at the float32 product of the scales', () => {
    expect([...quantizeBias(Float32Array.of(1, -0.25), 0.5, Float32Array.of(0.25))]).toEqual([
      8, -2,
    ]);
    expect([...quantizeBias(Float32Array.of(0.3125), 0.5, Float32Array.of(0.25))]).toEqual([2]);
  });

  it('that would not fit raises the scale of its channel only', () => {
    const grid = { scales: Float32Array.of(1e-9, 0.01), zeroPoints: Int32Array.of(0, 0) };
    const bias = Float32Array.of(5, 5);
    const fitted = fitBias(grid, bias, 0.01, false);
    expect(fitted.raised).toBe(1);
    expect(fitted.grid.scales[1]).toBe(grid.scales[1]);
    const codes = quantizeBias(bias, 0.01, fitted.grid.scales);
    expect(Math.abs(codes[0]!)).toBeLessThanOrEqual(2 ** 30);
    expect(codes[0]! * fitted.grid.scales[0]! * 0.01).toBeCloseTo(5, 4);
  });

  it('keeps powers of two', () => {
    const grid = { scales: Float32Array.of(2 ** -30), zeroPoints: Int32Array.of(0) };
    const { grid: fitted } = fitBias(grid, Float32Array.of(40), 2 ** -7, true);
    expect(Number.isInteger(Math.log2(fitted.scales[0]!))).toBe(true);
  });

  it('fits a narrower register where the target has one', () => {
    const grid = { scales: Float32Array.of(2 ** -7), zeroPoints: Int32Array.of(0) };
    const bias = Float32Array.of(5);
    const { grid: fitted } = fitBias(grid, bias, 2 ** -7, true, 127 * 128);
    // 5 * 2^14 = 81920 is above 16256 by a factor of 5.04: three digits.
    expect(fitted.scales[0]).toBe(2 ** -4);
    expect(quantizeBias(bias, 2 ** -7, fitted.scales)[0]).toBe(10240);
  });
});
