// SPDX-License-Identifier: Apache-2.0
// From real factors to multipliers and shifts. Formulas: TensorFlow Lite's quantization_util.cc
// (QuantizeMultiplier), XNNPACK's requantization.h (the bits of a float32 scale).
import { roundHalfAway } from './round.js';

/** Ways to form (input scale x weight scale / output scale), the steps of some code in C. */
export const scaleProducts = [
  /** f64(si) * f64(sw) / f64(so) */
  'f64',
  /** f64(f32(si * sw)) / f64(so) */
  'f32ThenF64',
  /** f32(f32(si * sw) / so) */
  'f32',
  /** f32(f32(si / so) * sw) */
  'f32Ratio',
] as const;

/** One of {@link scaleProducts}. */
export type ScaleProduct = (typeof scaleProducts)[number];

const f32 = Math.fround;

/** An integer multiplier and its total right shift: factor = multiplier * 2^-shift. */
export interface Multiplier {
  readonly multiplier: number;
  readonly shift: number;
}

/** q in [0.5, 1) and e with value = q * 2^e, as C's frexp; `value` positive, finite and normal. */
export function frexp(value: number): readonly [q: number, e: number] {
  let e = Math.floor(Math.log2(value)) + 1;
  // log2 may round to the next integer; scaling by powers of two is exact.
  if (value / 2 ** e >= 1) ++e;
  if (value / 2 ** e < 0.5) --e;
  return [value / 2 ** e, e];
}

/**
 * QuantizeMultiplier: rounded half away from zero; factors below 2^-32 become 0.
 * @param width of the signed multiplier; 32 gives TFLite's Q31
 */
export function quantizeMultiplier(factor: number, width = 32): Multiplier {
  const digits = width - 1;
  if (factor === 0) return { multiplier: 0, shift: digits };
  const [q, exponent] = frexp(factor);
  const one = 2 ** digits;
  const rounded = roundHalfAway(q * one);
  const [multiplier, e] = rounded === one ? [one / 2, exponent + 1] : [rounded, exponent];
  return e < -31 ? { multiplier: 0, shift: digits } : { multiplier, shift: digits - e };
}

/**
 * The upper 16 bits of a Q31 multiplier, rounded half up and at most 2^15 - 1: what TensorFlow
 * Lite's MultiplyByQuantizedMultiplier (common.cc) multiplies 64-bit accumulators by.
 */
export function reduced({ multiplier, shift }: Multiplier): Multiplier {
  const upper = Math.min(Math.floor((multiplier + 2 ** 15) / 2 ** 16), 2 ** 15 - 1);
  return { multiplier: upper, shift: shift - 16 };
}

const asFloat = new Float32Array(1);
const asBits = new Uint32Array(asFloat.buffer);

/** The 24-bit significand of a normal float32. */
export function significand(factor: number): Multiplier {
  asFloat[0] = factor;
  const bits = asBits[0]!;
  return { multiplier: (bits & 0x7fffff) | 0x800000, shift: 127 + 23 - (bits >>> 23) };
}

/** Exponent of a power of two, or undefined for another number. */
export function exponentOf(value: number): number | undefined {
  const [q, e] = frexp(value);
  return q === 0.5 ? e - 1 : undefined;
}

/** (input scale * weight scale / output scale) as the target's code would compute it. */
export function scaleProduct(form: ScaleProduct, si: number, sw: number, so: number): number {
  switch (form) {
    case 'f64':
      return (si * sw) / so;
    case 'f32ThenF64':
      return f32(si * sw) / so;
    case 'f32':
      return f32(f32(si * sw) / so);
    case 'f32Ratio':
      return f32(f32(si / so) * sw);
  }
}
