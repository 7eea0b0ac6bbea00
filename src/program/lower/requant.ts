// SPDX-License-Identifier: Apache-2.0
import {
  exponentOf,
  quantizeMultiplier,
  reduced,
  significand,
  type Multiplier,
} from '../../numeric/multipliers.js';
import { fixedPoint } from '../../numeric/requant.js';
import { roundHalfAway } from '../../numeric/round.js';
import type { ScaleCode } from '../../targets/target.js';
import type { Requant } from '../program.js';
import type { Layer, Refuse } from './layer.js';
import { stagedRequant } from './staged.js';
import { thresholdRequant } from './thresholds.js';

const f32 = Math.fround;

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

/** 16-bit results part wherever an integer multiplier misses a step: they stay in float64. */
function checked64(factors: readonly number[], refuse: Refuse): readonly number[] {
  factors.forEach((factor, channel) => {
    if (factor < 2 ** -64 || factor > 2 ** 16) {
      refuse(channel, `has a scale factor ${factor}, outside of [2^-64, 2^16]`);
    }
  });
  return factors;
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

/** Where TFLite's 64-bit form ends: factors below 2^8. */
const leastReduced = 8;

function multiplierOf(
  factor: number,
  code: Extract<ScaleCode, { kind: 'q31' | 'f32bits' }>,
): Multiplier {
  if (code.kind === 'f32bits') return significand(f32(factor));
  const found = quantizeMultiplier(factor, code.multiplierBits);
  return code.reduced ? reduced(found) : found;
}

/**
 * The requantization by these factors (one, or one per channel).
 *
 * @param layer what steps and thresholds need besides
 * @param refuse called with the channel and the reason for a factor that cannot be represented
 */
export function requantOf(
  factors: readonly number[],
  code: ScaleCode,
  layer: Layer,
  refuse: Refuse,
): Requant {
  factors.forEach((factor, channel) => {
    if (!(factor > 0 && factor < Infinity))
      refuse(channel, `has an unusable scale factor ${factor}`);
  });
  switch (code.kind) {
    case 'q31':
    case 'f32bits': {
      const pairs = factors.map((x) => multiplierOf(x, code));
      const least = code.kind === 'q31' && code.reduced ? leastReduced : 1;
      pairs.forEach(({ shift }, channel) => {
        if (shift < least || shift > 62)
          refuse(channel, `needs a shift of ${shift}, outside [${least}, 62]`);
      });
      return {
        kind: 'fixed',
        multiplier: Int32Array.from(pairs, ({ multiplier }) => multiplier),
        shift: Uint8Array.from(pairs, ({ shift }) => shift),
        rule: code.rule,
      };
    }
    case 'f64': {
      if (Math.max(...layer.clamp.hi) - layer.zeroPoint >= greatestResult) {
        return { kind: 'f64', scale: Float64Array.from(checked64(factors, refuse)) };
      }
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
    case 'f32':
    case 'f32Rule': {
      const scale = Float32Array.from(factors);
      const bad = scale.findIndex((x) => !(x > 0 && x < Infinity));
      if (bad >= 0) refuse(bad, `has a scale factor outside of float32`);
      return code.kind === 'f32' ? { kind: 'f32', scale } : { ...code, scale };
    }
    case 'staged':
      return stagedRequant(factors, code.steps, layer, refuse);
    case 'thresholds':
      return thresholdRequant(layer, code.rule);
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
