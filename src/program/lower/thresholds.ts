// SPDX-License-Identifier: Apache-2.0
// Threshold ladders (FINN, Umuroglu et al. 2017): code k is reached from the least accumulator a
// on for which a * step / (divisor * output scale) is at least k - 1/2, computed exactly.
import { frexp } from '../../numeric/multipliers.js';
import type { Requant } from '../program.js';
import type { Layer } from './layer.js';

const greatest = 2n ** 62n;
/** Quotients of doubles are this close to the exact ones; nearer to an integer, integers decide. */
const tolerance = 1e-9;

/**
 * The thresholds of a layer: one ladder, or one per channel where they differ.
 * @param rule what becomes of k - 1/2 itself
 */
export function thresholdRequant(layer: Layer, rule: 'halfUp' | 'halfDown'): Requant {
  const { clamp, zeroPoint, steps } = layer;
  const lo = Math.min(...clamp.lo) - zeroPoint;
  const hi = Math.max(...clamp.hi) - zeroPoint;
  const count = Math.max(hi - lo, 1);
  const ladders = steps.map((step) => new Ladder(step, layer, rule));
  const values = new BigInt64Array(steps.length * count);
  ladders.forEach((ladder, c) => {
    for (let i = 0; i < count; ++i) values[c * count + i] = ladder.threshold(lo + 1 + i);
  });
  return {
    kind: 'stages',
    stages: [
      { kind: 'thresholds', count, values, strict: false },
      { kind: 'add', value: BigInt64Array.of(BigInt(lo)) },
    ],
  };
}

class Ladder {
  /** Accumulator steps per code. */
  private readonly ratio: number;
  private readonly numerator: bigint;
  private readonly denominator: bigint;

  constructor(
    step: number,
    { outputScale, divisor = 1 }: Layer,
    private readonly rule: 'halfUp' | 'halfDown',
  ) {
    this.ratio = (outputScale / step) * divisor;
    const [scale, unit] = [integerOf(outputScale), integerOf(step)];
    const digits = BigInt(Math.abs(scale.exponent - unit.exponent));
    const wider = scale.exponent >= unit.exponent;
    this.numerator = scale.integer * BigInt(divisor) * (wider ? 2n ** digits : 1n);
    this.denominator = 2n * unit.integer * (wider ? 1n : 2n ** digits);
  }

  /** Least accumulator whose code is at least k. */
  threshold(k: number): bigint {
    const real = (k - 0.5) * this.ratio;
    const clear = Math.abs(real - Math.round(real)) > tolerance * Math.max(1, Math.abs(real));
    if (clear) return BigInt(Math.ceil(real));
    const product = BigInt(2 * k - 1) * this.numerator;
    const floor = floorDivide(product, this.denominator);
    const whole = floor * this.denominator === product;
    const least = whole && this.rule === 'halfUp' ? floor : floor + 1n;
    return least > greatest ? greatest : least < -greatest ? -greatest : least;
  }
}

/** A positive double as an integer times a power of two. */
function integerOf(value: number): { integer: bigint; exponent: number } {
  const [q, e] = frexp(value);
  return { integer: BigInt(q * 2 ** 53), exponent: e - 53 };
}

function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b < 0n ? quotient - 1n : quotient;
}
