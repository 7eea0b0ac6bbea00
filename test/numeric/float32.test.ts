// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { bigToF32, fmaF32 } from '../../src/numeric/float32.js';

/** A number as an exact multiple of 2^-1100. */
function asFraction(x: number): bigint {
  const bits = new BigUint64Array(Float64Array.of(x).buffer)[0]!;
  const exponent = (bits >> 52n) & 2047n;
  const fraction = bits & (2n ** 52n - 1n);
  const magnitude =
    exponent === 0n ? fraction << 26n : (fraction + 2n ** 52n) << (exponent - 1n + 26n);
  return x < 0 ? -magnitude : magnitude;
}

/** The f32 nearest to an exact fraction of 2^-1100, ties to even, by searching its neighbours. */
function nearestF32(exact: bigint, near: number): number {
  const bits = new Uint32Array(1);
  const value = new Float32Array(bits.buffer);
  value[0] = near;
  const centre = bits[0]!;
  const candidates = [-2, -1, 0, 1, 2].map((step) => {
    bits[0] = centre + step;
    return { value: value[0]!, even: bits[0] % 2 === 0 };
  });
  const distance = (x: number): bigint => {
    const d = asFraction(x) - exact;
    return d < 0n ? -d : d;
  };
  return candidates.reduce((best, c) => {
    const [d, least] = [distance(c.value), distance(best.value)];
    return d < least || (d === least && c.even) ? c : best;
  }).value;
}

describe('float32', () => {
  const floats = fc.float({ min: -1e6, max: 1e6, noNaN: true }).filter((x) => Math.abs(x) > 1e-6);

  test('fma rounds once', () => {
    fc.assert(
      fc.property(floats, floats, fc.oneof(floats, fc.constant(0)), (a, b, c) => {
        // a * b is exact in a double; the sum is exact in fractions.
        const exact = asFraction(a * b) + asFraction(c);
        const result = fmaF32(a, b, c);
        if (exact !== 0n) expect(result).toBe(nearestF32(exact, result));
      }),
      { numRuns: 1000 },
    );
  });

  test('fma differs from two roundings, and from rounding a double sum, where it must', () => {
    // (1 + 2^-23)^2 - (1 + 2^-22) = 2^-46: lost when the product is rounded first.
    const a = 1 + 2 ** -23;
    expect(fmaF32(a, a, -(1 + 2 ** -22))).toBe(2 ** -46);
  });

  test('fma is right where the product lies on a tie and the sum is too small for a double', () => {
    // 3 * 5592407 = 2^24 + 5, half way between two f32; what c adds is less than half a unit of the double.
    const [a, b] = [3, 5592407 * 2 ** -24];
    expect(fmaF32(a, b, 2 ** -60)).toBe(1 + 3 * 2 ** -23);
    expect(fmaF32(a, b, -(2 ** -60))).toBe(1 + 2 * 2 ** -23);
    expect(fmaF32(-a, b, 2 ** -60)).toBe(-(1 + 2 * 2 ** -23));
  });

  test('fma is right where a double sum rounds onto a tie', () => {
    // a * b = 2^-24 - 2^-54: just below the tie, and the double sum drops the 2^-54.
    const [a, b, c] = [2 ** -12 * (1 + 2 ** -15), 2 ** -12 * (1 - 2 ** -15), 1 + 2 ** -23] as const;
    expect(Math.fround(a * b + c)).toBe(1 + 2 ** -22);
    expect(fmaF32(a, b, c)).toBe(1 + 2 ** -23);
    expect(fmaF32(-a, b, -c)).toBe(-1 - 2 ** -23);
  });

  test('an integer of 64 bits rounds to f32 once', () => {
    // 2^62 + 2^38 is a tie of f32; the 1 above it is lost in a double.
    expect(bigToF32(2n ** 62n + 2n ** 38n)).toBe(2 ** 62);
    expect(bigToF32(2n ** 62n + 2n ** 38n + 1n)).toBe(2 ** 62 + 2 ** 39);
    expect(bigToF32(-(2n ** 62n) - 2n ** 38n - 1n)).toBe(-(2 ** 62) - 2 ** 39);
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (a) => {
        const result = bigToF32(a);
        if (a !== 0n) expect(result).toBe(nearestF32(a << 1100n, result));
      }),
    );
  });
});
