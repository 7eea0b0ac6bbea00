// SPDX-License-Identifier: Apache-2.0
import { SaturationCount, cosine, errorOf, ErrorSums, sqnrDb } from '../../src/analyze/index.js';
import { dequantizeToNchw, quantizeFromNchw } from '../../src/analyze/codes.js';

describe('errors', () => {
  test('sqnr in dB by its definition', () => {
    expect(sqnrDb([10, 0, 0], [9, 0, 0])).toBeCloseTo(20, 12);
    expect(sqnrDb([3, 4], [3, 4.5])).toBeCloseTo(10 * Math.log10(25 / 0.25), 12);
  });

  test('ends of the scale', () => {
    expect(errorOf([1, 2], [1, 2])).toEqual({ sqnrDb: Infinity, cosine: 1, maxAbsError: 0 });
    expect(errorOf([0, 0], [0, 0])).toEqual({ sqnrDb: Infinity, cosine: 1, maxAbsError: 0 });
    expect(errorOf([0, 0], [0, 1])).toEqual({ sqnrDb: -Infinity, cosine: 0, maxAbsError: 1 });
    expect(sqnrDb([1, 1], [0, 0])).toBe(0);
  });

  test('cosine', () => {
    expect(cosine([1, 0], [0, 1])).toBe(0);
    expect(cosine([1, 2, 3], [-2, -4, -6])).toBeCloseTo(-1, 12);
  });

  test('adds up over tensors', () => {
    const sums = new ErrorSums();
    sums.add([10, 0], [9, 0]);
    sums.add([0, 0], [0, 3]);
    expect(sums.result().sqnrDb).toBeCloseTo(10, 12);
    expect(sums.result().maxAbsError).toBe(3);
    expect(() => {
      sums.add([1], [1, 2]);
    }).toThrow(RangeError);
  });
});

test('saturation counts what the type cannot hold, not the zeros of a ReLU', () => {
  const count = new SaturationCount({ dtype: 's8', scale: 0.5, zeroPoint: -128 });
  // Representable: 0 to 127.5; half a step more rounds to the ends.
  count.add([0, 0, 127.7, 200, -3, 5], [-128, -128, 127, 127, -128, -118]);
  expect(count.percent()).toBeCloseTo((100 * 2) / 6, 12);
});

test('codes go to reals and back, and change layout on the way', () => {
  const tensor = {
    dtype: 's8',
    scale: 0.25,
    zeroPoint: 3,
    height: 1,
    width: 2,
    channels: 3,
  } as const;
  const codes = Int8Array.of(-128, -1, 0, 1, 3, 127);
  const reals = dequantizeToNchw(codes, tensor);
  expect([...reals]).toEqual([-32.75, -0.5, -1, 0, -0.75, 31]);
  expect(quantizeFromNchw(reals, tensor)).toEqual(codes);
  const far = Float32Array.of(-1e9, 1e9, 0.125, -0.125, 0.12, 0.38);
  expect(quantizeFromNchw(far, tensor)).toEqual(Int8Array.of(-128, 4, 3, 127, 2, 5));
});
