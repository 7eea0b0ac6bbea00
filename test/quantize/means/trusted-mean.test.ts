// SPDX-License-Identifier: Apache-2.0
import { trustedMean } from '../../../src/quantize/means/trusted-mean.js';

test('what all images agree on stays, whatever their number', () => {
  expect(trustedMean(Float64Array.of(2, 2, 2, 2))).toBe(2);
  expect(trustedMean(Float64Array.of(-0.5))).toBe(-0.5);
  expect(trustedMean(new Float64Array(5))).toBe(0);
  expect(trustedMean(new Float64Array(0))).toBe(0);
});

test('what one image of many brings does not count', () => {
  for (const images of [2, 8, 200]) {
    const samples = new Float64Array(images);
    samples[1] = 1000;
    expect(trustedMean(samples)).toBe(0);
  }
});

test('shrunk by the square of three standard errors over the mean, with the sign kept', () => {
  // Mean 10, deviations +-1: standard error sqrt(4 / (4 * 3)).
  const shrunk = 10 * (1 - (9 * (4 / 12)) / 100);
  expect(trustedMean(Float64Array.of(9, 11, 9, 11))).toBeCloseTo(shrunk, 12);
  expect(trustedMean(Float64Array.of(-9, -11, -9, -11))).toBeCloseTo(-shrunk, 12);
  // Just within three standard errors.
  expect(trustedMean(Float64Array.of(0, 1, 0, 1, 0, 1, 0, 1))).toBe(
    Math.max(0, 0.5 * (1 - (9 * (2 / 56)) / 0.25)),
  );
  expect(trustedMean(Float64Array.of(-3, 5, -3, 5))).toBe(0);
});
