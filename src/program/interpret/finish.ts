// SPDX-License-Identifier: Apache-2.0
// NOTES.md, "Requantization": from an accumulator to a code.
import { bigToF32 } from '../../numeric/float32.js';
import { fixedPoint, fixedPointBig } from '../../numeric/requant.js';
import {
  type FloatRule,
  roundFloat,
  roundHalfAway,
  roundShift,
  roundShiftBig,
} from '../../numeric/round.js';
import { entry } from '../per-channel.js';
import type { CodeClamp, Requant } from '../program.js';
import { applyStage } from '../stages.js';

/** An exact integer: a number while it stays within 2^53, else a BigInt. */
export type Integer = number | bigint;

/** Accumulator and channel to code. */
export type Finish = (a: Integer, channel: number) => number;

/** `finish(a, c)`: requantize, add the zero point, clamp. */
export function finisher(requant: Requant, clamp: CodeClamp, zeroPoint: number): Finish {
  const requantize = requantizer(requant);
  const bound = clamper(clamp);
  return (a, channel) => bound(requantize(a, channel) + zeroPoint, channel);
}

/** The clamp alone. */
export function clamper({ lo, hi }: CodeClamp): (code: number, channel: number) => number {
  return (code, channel) => Math.min(Math.max(code, entry(lo, channel)), entry(hi, channel));
}

/**
 * `requantize(a, c)`. Results beyond 2^53 are rounded on their way into a number; the clamp to 32
 * bits hides that.
 */
export function requantizer(requant: Requant): Finish {
  switch (requant.kind) {
    case 'none':
      return (a) => Number(a);
    case 'fixed':
      return (a, c) => {
        const m = entry(requant.multiplier, c);
        const s = entry(requant.shift, c);
        return typeof a === 'number'
          ? fixedPoint(a, m, s, requant.rule)
          : Number(fixedPointBig(a, BigInt(m), s, requant.rule));
      };
    case 'f32':
      return floatRequantizer(requant.scale, 'halfEven');
    case 'f32Rule':
      return floatRequantizer(requant.scale, requant.rule);
    case 'f64':
      return (a, c) => roundHalfAway(Number(a) * entry(requant.scale, c));
    case 'shift':
      return (a, c) => {
        const s = entry(requant.shift, c);
        if (s <= 0) return Number(a) * 2 ** -s;
        return typeof a === 'number'
          ? roundShift(a, s, requant.rule)
          : Number(roundShiftBig(a, s, requant.rule));
      };
    case 'stages':
      return (a, c) =>
        Number(requant.stages.reduce((v, stage) => applyStage(stage, v, c), BigInt(a)));
  }
}

function floatRequantizer(scale: Float32Array, rule: FloatRule): Finish {
  return (a, c) => {
    const value = typeof a === 'number' ? Math.fround(a) : bigToF32(a);
    return roundFloat(Math.fround(value * entry(scale, c)), rule);
  };
}
