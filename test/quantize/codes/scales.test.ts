// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import {
  activationDType,
  ceilPowerOfTwo,
  codeLimits,
  quantizationOf,
  representedRange,
  roundHalfEven,
  type ActivationScheme,
} from '../../../src/quantize/codes/scales.js';

const affine: ActivationScheme = { dtypes: ['s8'], zeroPoint: true, powerOfTwo: false };
const unsigned: ActivationScheme = { dtypes: ['u8'], zeroPoint: true, powerOfTwo: false };
const pow2: ActivationScheme = { dtypes: ['s8'], zeroPoint: false, powerOfTwo: true };
const bound = fc.float({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 });

describe('quantizationOf', () => {
  it('gives ReLU6 the well-known scale and zero point', () => {
    expect(quantizationOf({ min: 0, max: 6 }, 's8', affine)).toEqual({
      dtype: 's8',
      bits: 8,
      scale: Math.fround(6 / 255),
      zeroPoint: -128,
    });
    expect(quantizationOf({ min: 0, max: 6 }, 'u8', unsigned).zeroPoint).toBe(0);
  });

  it('rounds the zero point', () => {
    // f32(2 / 255) is a little above 2 / 255, so -1 is a little less than 127.5 steps away.
    expect(quantizationOf({ min: -1, max: 1 }, 's8', affine).zeroPoint).toBe(-1);
    expect(quantizationOf({ min: -1, max: 1 }, 'u8', unsigned).zeroPoint).toBe(127);
    expect(quantizationOf({ min: -1, max: 3 }, 'u8', unsigned).zeroPoint).toBe(64);
  });

  it('widens a range that lies beside zero', () => {
    expect(quantizationOf({ min: 2, max: 5.1 }, 'u8', unsigned)).toMatchObject({
      scale: Math.fround(5.1 / 255),
      zeroPoint: 0,
    });
  });

  it('finds the least power of two that holds both ends', () => {
    expect(quantizationOf({ min: -1, max: 0.9 }, 's8', pow2).scale).toBe(1 / 128);
    expect(quantizationOf({ min: -1, max: 1 }, 's8', pow2).scale).toBe(1 / 64);
    expect(quantizationOf({ min: 0, max: 6 }, 's8', pow2).scale).toBe(1 / 16);
  });

  it.each([affine, unsigned, pow2])('never gives a zero or infinite scale: %o', (scheme) => {
    for (const range of [
      { min: 0, max: 0 },
      { min: 0, max: 1e-45 },
      { min: -1e-30, max: 0 },
    ]) {
      if (scheme.dtypes[0] === 'u8' && !scheme.zeroPoint) continue;
      const { scale, zeroPoint } = quantizationOf(range, scheme.dtypes[0]!, scheme);
      expect(scale).toBeGreaterThan(0);
      expect(Number.isFinite(1 / scale)).toBe(true);
      expect(Number.isInteger(zeroPoint)).toBe(true);
    }
  });

  it('represents zero exactly and clips nothing by more than half a step', () => {
    fc.assert(
      fc.property(bound, bound, fc.constantFrom(affine, unsigned, pow2), (a, b, scheme) => {
        const range = { min: Math.min(a, b), max: Math.max(a, b) };
        const quantization = quantizationOf(range, scheme.dtypes[0]!, scheme);
        const [least, greatest] = codeLimits(quantization.dtype);
        expect(quantization.zeroPoint).toBeGreaterThanOrEqual(least);
        expect(quantization.zeroPoint).toBeLessThanOrEqual(greatest);
        const represented = representedRange(quantization);
        const slack = quantization.scale * 0.501;
        expect(represented.min).toBeLessThanOrEqual(range.min + slack);
        expect(represented.max).toBeGreaterThanOrEqual(range.max - slack);
      }),
      { numRuns: 300, seed: 1 },
    );
  });
});

describe('activationDType', () => {
  const mixed: ActivationScheme = { dtypes: ['u8', 's8'], zeroPoint: false, powerOfTwo: true };
  it('is unsigned only where nothing is negative', () => {
    expect(activationDType({ min: 0, max: 1 }, mixed)).toBe('u8');
    expect(activationDType({ min: -0.1, max: 1 }, mixed)).toBe('s8');
    expect(activationDType({ min: -0.1, max: 1 }, unsigned)).toBe('u8');
  });

  it('says so where no type holds the range', () => {
    expect(() => activationDType({ min: -1, max: 1 }, { ...mixed, dtypes: ['u8'] })).toThrow(
      /no-activation-type/,
    );
  });
});

describe('ceilPowerOfTwo', () => {
  it('is exact at powers of two and next to them', () => {
    for (let e = -39; e < 40; e++) {
      expect(ceilPowerOfTwo(2 ** e)).toBe(2 ** e);
      expect(ceilPowerOfTwo(2 ** e * (1 + 2 ** -50))).toBe(2 ** (e + 1));
      expect(ceilPowerOfTwo(2 ** e * (1 - 2 ** -50))).toBe(2 ** e);
    }
  });
});

describe('roundHalfEven', () => {
  it.each([
    [-2.5, -2],
    [-1.5, -2],
    [-0.5, -0],
    [0.5, 0],
    [1.5, 2],
    [2.4999, 2],
    [-7.7, -8],
  ])('rint(%d) = %d', (value, expected) => {
    expect(roundHalfEven(value) + 0).toBe(expected + 0);
  });
});
