// SPDX-License-Identifier: Apache-2.0
// Steps of a hardware pipeline (src/targets/NOTES.md, "Staged pipelines") as stages with numbers.
import { frexp } from '../../numeric/multipliers.js';
import { roundHalfEven, roundEncoded } from '../../numeric/round.js';
import type { MultiplierWidths, ScaleCode, StepForm } from '../../targets/target.js';
import type { Requant, Stage } from '../program.js';
import type { Layer, Refuse } from './layer.js';

type Steps = Extract<ScaleCode, { kind: 'staged' }>['steps'];
type ScaleStep = Extract<StepForm, { kind: 'scale' }>;

/** Whether the pipeline adds the bias itself. */
export function addsBias(code: ScaleCode): boolean {
  return code.kind === 'staged' && code.steps.some(({ kind }) => kind === 'bias');
}

/**
 * The stages of a layer.
 *
 * @param factors from the accumulator to the output, one or one per channel
 */
export function stagedRequant(
  factors: readonly number[],
  steps: Steps,
  layer: Layer,
  refuse: Refuse,
): Requant {
  const pipeline = new Pipeline(factors, layer, refuse);
  return { kind: 'stages', stages: steps.flatMap((step) => pipeline.stages(step)) };
}

/** Turns step after step into numbers; knows what is left of the factors. */
class Pipeline {
  /** Digits of the inner scale below the output's. */
  private inner: number | undefined;
  private lowest = -(2n ** 61n);

  constructor(
    private factors: readonly number[],
    private readonly layer: Layer,
    private readonly refuse: Refuse,
  ) {}

  stages(step: StepForm): Stage[] {
    switch (step.kind) {
      case 'saturate':
        return [step];
      case 'bias':
        return this.bias();
      case 'scale':
        return this.scale(step);
      case 'segments':
        return [this.segments(step)];
    }
  }

  private bias(): Stage[] {
    const { bias } = this.layer;
    if (bias === undefined) return [];
    return [{ kind: 'add', value: BigInt64Array.from(bias, (_, c) => BigInt(this.biasOf(c))) }];
  }

  /** Of channel c, at the scale that the pipeline has reached. */
  private biasOf(c: number): number {
    const { bias, steps, outputScale } = this.layer;
    if (this.inner === undefined) return bias![c]!;
    const real = (bias![c]! * at(steps, c)) / outputScale;
    const code = roundHalfEven(real * 2 ** this.inner);
    return Math.min(Math.max(code, -(2 ** 31)), 2 ** 31 - 1);
  }

  private scale(step: ScaleStep): Stage[] {
    const factors = step.innerBits === undefined ? this.factors : this.toInner(step);
    const largest = shiftFor(Math.max(...factors), step);
    const numbers = factors.map((factor, c) => {
      const shift = step.commonShift ? largest : shiftFor(factor, step);
      if (shift < 0) this.refuse(c, `has a factor ${factor} beyond ${step.bits} bits`);
      return { factor: roundEncoded(factor * 2 ** shift, step.encode), shift };
    });
    return [
      { kind: 'multiply', factor: Int32Array.from(numbers, ({ factor }) => factor) },
      {
        kind: 'shift',
        shift: Int8Array.from(numbers, ({ shift }) => shift),
        rule: step.rule,
      },
    ];
  }

  /** Factors to the inner scale; what is left is the same power of two for all channels. */
  private toInner({ bits, innerBits = 0 }: ScaleStep): number[] {
    const { bias, reach } = this.layer;
    const biases = Array.from(bias ?? [], (b, c) => Math.abs(b) * at(this.factors, c));
    const largestBias = biases.reduce((a, b) => Math.max(a, b), 0);
    const largest = Math.max(...this.factors);
    const room = (most: number, digits: number): number => digits - frexp(most)[1];
    const k = Math.min(
      room(largest, bits - 1),
      room(reach * largest + largestBias, innerBits - 1),
      largestBias === 0 ? Infinity : room(largestBias, 31),
    );
    const scaled = this.factors.map((factor) => factor * 2 ** k);
    this.inner = k;
    this.lowest = -(2n ** BigInt(innerBits - 1));
    this.factors = [2 ** -k];
    return scaled;
  }

  private segments(widths: MultiplierWidths): Stage {
    const { clamp, zeroPoint } = this.layer;
    if (this.factors.length > 1 || clamp.lo.length > 1 || clamp.hi.length > 1) {
      this.refuse(0, 'has a piecewise linear function per channel, which the target has not');
    }
    const factor = this.factors[0]!;
    const [lo, hi] = [clamp.lo[0]! - zeroPoint, clamp.hi[0]! - zeroPoint];
    const shift = shiftFor(factor, widths);
    if (shift < 0) this.refuse(0, `has a slope ${factor} beyond ${widths.bits} bits`);
    const line = { multiplier: roundEncoded(factor * 2 ** shift, widths.encode), shift };
    const start = (code: number): bigint => BigInt(roundHalfEven(code / factor));
    const flat = { multiplier: 0, shift: 0 };
    const below = { ...flat, start: this.lowest, offset: lo };
    const parts =
      lo === hi
        ? [below]
        : [
            below,
            { ...line, start: start(lo), offset: lo },
            { ...flat, start: start(hi), offset: hi },
          ];
    return {
      kind: 'segments',
      start: BigInt64Array.from(parts, (part) => part.start),
      multiplier: Int32Array.from(parts, (part) => part.multiplier),
      shift: Uint8Array.from(parts, (part) => part.shift),
      offset: BigInt64Array.from(parts, (part) => BigInt(part.offset)),
      rule: widths.rule,
    };
  }
}

/** The largest shift with which a factor fits the multiplier. */
function shiftFor(factor: number, { bits, greatestShift, encode }: MultiplierWidths): number {
  const digits = bits - 1;
  const shift = Math.min(greatestShift, digits - frexp(factor)[1]);
  return roundEncoded(factor * 2 ** shift, encode) === 2 ** digits ? shift - 1 : shift;
}

function at(array: readonly number[], channel: number): number {
  return array.length === 1 ? array[0]! : array[channel]!;
}
