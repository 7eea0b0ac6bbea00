// SPDX-License-Identifier: Apache-2.0
// From real factors to multipliers and shifts. Formulas: TensorFlow Lite's quantization_util.cc
// (QuantizeMultiplier), XNNPACK's requantization.h (the bits of a float32 scale).
import type { ScaleCode, ScaleProduct } from '../../targets/target.js';
import type { Requant } from '../program.js';
import { roundHalfAway } from '../rounding.js';

const f32 = Math.fround;

/** q in [0.5, 1) and e with value = q * 2^e, as C's frexp; `value` positive, finite and normal. */
export function frexp(value: number): readonly [q: number, e: number] {
  let e = Math.floor(Math.log2(value)) + 1;
  // log2 may round to the next integer; scaling by powers of two is exact.
  if (value / 2 ** e >= 1) ++e;
  if (value / 2 ** e < 0.5) --e;
  return [value / 2 ** e, e];
}

/** An integer multiplier and its total right shift: factor = multiplier * 2^-shift. */
export interface Multiplier {
  readonly multiplier: number;
  readonly shift: number;
}

/** QuantizeMultiplier: 31 bits, rounded half away from zero; factors below 2^-32 become 0. */
export function quantizeMultiplier(factor: number): Multiplier {
  if (factor === 0) return { multiplier: 0, shift: 31 };
  const [q, exponent] = frexp(factor);
  const rounded = roundHalfAway(q * 2 ** 31);
  const [multiplier, e] = rounded === 2 ** 31 ? [2 ** 30, exponent + 1] : [rounded, exponent];
  return e < -31 ? { multiplier: 0, shift: 31 } : { multiplier, shift: 31 - e };
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
  }
}

/**
 * The requantization by these factors (one, or one per channel).
 *
 * @param refuse called with the channel and the reason for a factor that cannot be represented
 */
export function requantOf(
  factors: readonly number[],
  code: ScaleCode,
  refuse: (channel: number, reason: string) => never,
): Requant {
  factors.forEach((factor, channel) => {
    if (!(factor > 0 && factor < Infinity))
      refuse(channel, `has an unusable scale factor ${factor}`);
  });
  switch (code.kind) {
    case 'q31':
    case 'f32bits': {
      const encode = code.kind === 'q31' ? quantizeMultiplier : (x: number) => significand(f32(x));
      const pairs = factors.map(encode);
      pairs.forEach(({ shift }, channel) => {
        if (shift < 1 || shift > 62) refuse(channel, `needs a shift of ${shift}, outside [1, 62]`);
      });
      return {
        kind: 'fixed',
        multiplier: Int32Array.from(pairs, ({ multiplier }) => multiplier),
        shift: Uint8Array.from(pairs, ({ shift }) => shift),
        rule: code.rule,
      };
    }
    case 'f32': {
      const scale = Float32Array.from(factors);
      const bad = scale.findIndex((x) => !(x > 0 && x < Infinity));
      if (bad >= 0) refuse(bad, `has a scale factor outside of float32`);
      return { kind: 'f32', scale };
    }
    case 'pow2': {
      const shifts = factors.map((factor, channel) => {
        const exponent = exponentOf(factor);
        if (exponent === undefined) refuse(channel, 'has a scale factor that is no power of two');
        if (exponent < -62 || exponent > 31) refuse(channel, `needs a shift of ${-exponent}`);
        return -exponent;
      });
      return { kind: 'shift', shift: Int8Array.from(shifts), rule: code.rule };
    }
  }
}
