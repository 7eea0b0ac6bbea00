// SPDX-License-Identifier: Apache-2.0
import {
  exponentOf,
  frexp,
  quantizeMultiplier,
  reduced,
  scaleProduct,
  scaleProducts,
  significand,
} from '../../src/numeric/multipliers.js';

test('frexp', () => {
  expect(frexp(1)).toEqual([0.5, 1]);
  expect(frexp(0.75)).toEqual([0.75, 0]);
  expect(frexp(2 ** -40 * 1.5)).toEqual([0.75, -39]);
  // log2 of the number just below 8 rounds to 3
  expect(frexp(8 - 2 ** -50)).toEqual([1 - 2 ** -53, 3]);
});

test('QuantizeMultiplier', () => {
  expect(quantizeMultiplier(1)).toEqual({ multiplier: 2 ** 30, shift: 30 });
  expect(quantizeMultiplier(0.5)).toEqual({ multiplier: 2 ** 30, shift: 31 });
  expect(quantizeMultiplier(0.75)).toEqual({ multiplier: 3 * 2 ** 29, shift: 31 });
  expect(quantizeMultiplier(1 / 3)).toEqual({ multiplier: 1431655765, shift: 32 });
  // rounds up to 2^31, which becomes 2^30 one exponent higher
  expect(quantizeMultiplier(1 - 2 ** -40)).toEqual({ multiplier: 2 ** 30, shift: 30 });
  // (2^30 + 1/2) * 2^-31 is a tie: away from zero
  expect(quantizeMultiplier((2 ** 30 + 0.5) * 2 ** -31)).toEqual({
    multiplier: 2 ** 30 + 1,
    shift: 31,
  });
  expect(quantizeMultiplier(2 ** -32)).toEqual({ multiplier: 2 ** 30, shift: 62 });
  expect(quantizeMultiplier(2 ** -33)).toEqual({ multiplier: 0, shift: 31 });
  expect(quantizeMultiplier(0)).toEqual({ multiplier: 0, shift: 31 });
});

test('the bits of a float32', () => {
  expect(significand(0.5)).toEqual({ multiplier: 2 ** 23, shift: 24 });
  expect(significand(Math.fround(1.5))).toEqual({ multiplier: 3 * 2 ** 22, shift: 23 });
  const scale = Math.fround(0.0123);
  const { multiplier, shift } = significand(scale);
  expect(multiplier / 2 ** shift).toBe(scale);
});

test('powers of two', () => {
  expect([exponentOf(0.25), exponentOf(8), exponentOf(0.75)]).toEqual([-2, 3, undefined]);
});

test('products are formed as the target forms them', () => {
  const [si, sw, so] = [0.1, 0.7, 0.3].map(Math.fround) as [number, number, number];
  const [f64, mixed, f32] = (['f64', 'f32ThenF64', 'f32'] as const).map((form) =>
    scaleProduct(form, si, sw, so),
  );
  expect(f64).toBe((si * sw) / so);
  expect(mixed).toBe(Math.fround(si * sw) / so);
  expect(mixed).not.toBe(f64);
  expect(f32).toBe(Math.fround(f32!));
  expect(Math.abs(f32! / f64! - 1)).toBeLessThan(2 ** -22);
});

test('the upper 16 bits of a multiplier round half up and stay positive', () => {
  const upper = (multiplier: number) => reduced({ multiplier, shift: 40 });
  expect(upper(2 ** 30 + 2 ** 15)).toEqual({ multiplier: 2 ** 14 + 1, shift: 24 });
  expect(upper(2 ** 30 + 2 ** 15 - 1)).toEqual({ multiplier: 2 ** 14, shift: 24 });
  expect(upper(2 ** 31 - 1)).toEqual({ multiplier: 2 ** 15 - 1, shift: 24 });
});

test('a product divided before it is multiplied is another float32', () => {
  const [si, sw, so] = [0.1, 0.3, 0.9].map(Math.fround) as [number, number, number];
  expect(scaleProduct('f32Ratio', si, sw, so)).toBe(Math.fround(Math.fround(si / so) * sw));
  expect(new Set(scaleProducts.map((form) => scaleProduct(form, si, sw, so))).size).toBe(4);
});
