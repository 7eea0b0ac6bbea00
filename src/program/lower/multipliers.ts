// SPDX-License-Identifier: Apache-2.0
// From real factors to multipliers and shifts. Formulas: TensorFlow Lite's quantization_util.cc
// (QuantizeMultiplier), XNNPACK's requantization.h (the bits of a float32 scale).
import type { ScaleCode, ScaleProduct } from '../../targets/target.js';
import type { Requant } from '../program.js';
import { fixedPoint, roundHalfAway } from '../rounding.js';

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

/** Results of 8-bit layers, before the zero point, lie within this. */
const greatestResult = 256;

/**
 * A multiplier that, rounding half away, gives what C's round(double(a) * factor) gives for every
 * 32-bit accumulator a whose result fits 8 bits. Both are monotone steps, so it is enough that they
 * agree around each step. The nearest Q31 multiplier can miss a near-tie; then a neighbour hits it.
 */
function likeDouble(factor: number): Multiplier | undefined {
  const nearest = quantizeMultiplier(factor);
  if (nearest.shift < 1 || nearest.shift > 62) return undefined;
  const { shift } = nearest;
  return [0, 1, -1, 2, -2]
    .map((step) => nearest.multiplier + step)
    .filter((multiplier) => multiplier > 0 && multiplier < 2 ** 31)
    .map((multiplier) => ({ multiplier, shift }))
    .find((candidate) => agreesAtSteps(factor, candidate));
}

function agreesAtSteps(factor: number, { multiplier, shift }: Multiplier): boolean {
  for (let step = -greatestResult; step < greatestResult; ++step) {
    const near = Math.round((step + 0.5) / factor);
    for (let a = near - 2; a <= near + 2; ++a) {
      if (Math.abs(a) >= 2 ** 31) continue;
      if (fixedPoint(a, multiplier, shift, 'halfAway') !== roundHalfAway(a * factor)) return false;
    }
  }
  return true;
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
      const pairs = factors.map((x) =>
        code.kind === 'q31' ? quantizeMultiplier(x, code.multiplierBits) : significand(f32(x)),
      );
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
    case 'f64': {
      const pairs = factors.map(
        (factor, channel) =>
          likeDouble(factor) ??
          refuse(channel, `has a factor ${factor} that no 31-bit multiplier reproduces`),
      );
      return {
        kind: 'fixed',
        multiplier: Int32Array.from(pairs, ({ multiplier }) => multiplier),
        shift: Uint8Array.from(pairs, ({ shift }) => shift),
        rule: 'halfAway',
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
