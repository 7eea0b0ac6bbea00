// SPDX-License-Identifier: Apache-2.0
import { HistogramObserver } from '../../../src/calibrate/observers/histogram.js';
import {
  fullRange,
  minErrorRange,
  percentileRange,
  Tails,
  withinClamp,
} from '../../../src/quantize/ranges/methods.js';
import { quantizationOf, type ActivationScheme } from '../../../src/quantize/codes/scales.js';
import { randomNumbers } from '../small-graphs.js';

const affine: ActivationScheme = { dtypes: ['s8'], zeroPoint: true, powerOfTwo: false };
const pow2: ActivationScheme = { dtypes: ['s8'], zeroPoint: false, powerOfTwo: true };

function histogramOf(values: Iterable<number>) {
  const observer = new HistogramObserver();
  observer.observe(Float32Array.from(values));
  return observer.result();
}

/** Sum of three uniforms: close to normal, deviation 1, one far outlier. */
function normalWithOutlier(outlier: number): Float32Array {
  const random = randomNumbers(3);
  return Float32Array.from({ length: 20000 }, (_, i) =>
    i === 0 ? outlier : random() + random() + random(),
  );
}

/** The squared error of quantizing value by value. */
function measured(values: Float32Array, scale: number, zeroPoint: number): number {
  let sum = 0;
  for (const value of values) {
    const code = Math.min(127, Math.max(-128, Math.round(value / scale) + zeroPoint));
    sum += (value - (code - zeroPoint) * scale) ** 2;
  }
  return sum;
}

describe('ranges', () => {
  it('of everything seen hold zero', () => {
    expect(fullRange(histogramOf([2, 5]))).toEqual({ min: 0, max: 5 });
    expect(fullRange(histogramOf([-3, -1]))).toEqual({ min: -3, max: 0 });
  });

  it('stay inside the clamp', () => {
    expect(withinClamp({ min: -1, max: 9 }, 0, 6)).toEqual({ min: 0, max: 6 });
    expect(withinClamp({ min: 0, max: 2 }, 0, 6)).toEqual({ min: 0, max: 2 });
  });

  it('by percentile drop the same share on both sides', () => {
    const values = Array.from({ length: 1001 }, (_, i) => i - 500);
    const { min, max } = percentileRange(histogramOf(values), 99);
    expect(min).toBeCloseTo(-490, -0.5);
    expect(max).toBeCloseTo(490, -0.5);
    expect(percentileRange(histogramOf(values), 100)).toEqual({ min: -500, max: 500 });
  });

  it('predict the error that quantization makes', () => {
    const values = normalWithOutlier(9);
    const tails = new Tails(histogramOf(values));
    for (const bound of [9, 3, 1.5]) {
      const quantization = quantizationOf({ min: -bound, max: bound }, 's8', affine);
      const expected = measured(values, quantization.scale, quantization.zeroPoint);
      expect(tails.error(quantization) / expected).toBeCloseTo(1, 1);
    }
  });

  it.each([affine, pow2])(
    'by error beat the full range where an outlier stretches it',
    (scheme) => {
      const values = normalWithOutlier(9);
      const histogram = histogramOf(values);
      const quantize = (range: { min: number; max: number }) => quantizationOf(range, 's8', scheme);
      const best = quantize(minErrorRange(histogram, { quantize, powerOfTwo: scheme.powerOfTwo }));
      const full = quantize(fullRange(histogram));
      expect(best.scale).toBeLessThan(full.scale);
      const errorOf = (q: typeof best) => measured(values, q.scale, q.zeroPoint);
      expect(errorOf(best)).toBeLessThan(errorOf(full));
      if (scheme.powerOfTwo) {
        const all = [-10, -9, -8, -7, -6, -5, -4, -3, -2].map((e) => measured(values, 2 ** e, 0));
        expect(errorOf(best)).toBe(Math.min(...all));
      }
    },
  );

  it('of constants and zeros are usable', () => {
    for (const values of [
      [0, 0],
      [4, 4],
      [-1e-30, -1e-30],
    ]) {
      const quantize = (range: { min: number; max: number }) => quantizationOf(range, 's8', affine);
      const { scale } = quantize(minErrorRange(histogramOf(values), { quantize }));
      expect(scale > 0 && Number.isFinite(scale)).toBe(true);
    }
  });
});
