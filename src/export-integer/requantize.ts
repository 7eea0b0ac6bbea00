// SPDX-License-Identifier: Apache-2.0
// program/NOTES.md, "Requantization": from an accumulator to the codes of an output.
import { codeLimits } from '../numeric/code-types.js';
import type { CodeClamp, Requant } from '../program/program.js';
import { vectorOf } from './bounds.js';
import { roundFloats, storeFloats } from './floats.js';
import { type Integers, plus, settle, store, within } from './integers.js';
import { fixedPoint, roundShift } from './rounding.js';
import { afterStage, rightOnly, shiftedLeft } from './stages.js';
import type { CodesTensor, Steps } from './steps.js';

/** `finish(a, c)`: requantizes, adds the output's zero point, clamps and stores. */
export function finish(
  steps: Steps,
  a: Integers,
  requant: Requant,
  clamp: CodeClamp,
  output: CodesTensor,
): void {
  switch (requant.kind) {
    case 'f32':
      finishFloats(steps, a, { ...requant, type: 'f32', rule: 'halfEven' }, clamp, output);
      return;
    case 'f32Rule':
      finishFloats(steps, a, { ...requant, type: 'f32' }, clamp, output);
      return;
    case 'f64':
      finishFloats(steps, a, { ...requant, type: 'f64', rule: 'halfAway' }, clamp, output);
      return;
    case 'none':
    case 'fixed':
    case 'shift':
    case 'stages':
      storeClamped(
        steps,
        plus(requantize(steps, a, requant), [BigInt(output.zeroPoint)]),
        clamp,
        output,
      );
  }
}

type IntegerRequant = Extract<Requant, { kind: 'none' | 'fixed' | 'shift' | 'stages' }>;

function requantize(steps: Steps, a: Integers, requant: IntegerRequant): Integers {
  switch (requant.kind) {
    case 'none':
      return a;
    case 'fixed': {
      const { multiplier, shift, rule } = requant;
      return fixedPoint(steps, a, vectorOf(multiplier), Array.from(shift), rule);
    }
    case 'shift': {
      const shifts = Array.from(requant.shift);
      const left = shiftedLeft(steps, saturatedBefore(steps, a, shifts), shifts);
      return roundShift(steps, left, rightOnly(shifts), requant.rule);
    }
    case 'stages':
      return requant.stages.reduce((v, stage) => afterStage(steps, stage, v), a);
  }
}

/** Beyond 2^33 a value that is only shifted left ends at the clamp, wherever it is. */
function saturatedBefore(steps: Steps, a: Integers, shifts: readonly number[]): Integers {
  const bound = 1n << 33n;
  return shifts.every((s) => s <= 0) ? within(steps, a, [-bound], [bound]) : a;
}

/** Clamps integers to codes and stores them. */
export function storeClamped(
  steps: Steps,
  a: Integers,
  { lo, hi }: CodeClamp,
  output: CodesTensor,
): void {
  store(steps, within(steps, a, vectorOf(lo), vectorOf(hi)), output);
}

interface FloatRequant {
  readonly type: 'f32' | 'f64';
  readonly scale: Float32Array | Float64Array;
  readonly rule: Extract<Requant, { kind: 'f32Rule' }>['rule'];
}

/** One rounding to the type, one product, one rounding to an integer. */
function finishFloats(
  steps: Steps,
  a: Integers,
  { type, scale, rule }: FloatRequant,
  clamp: CodeClamp,
  output: CodesTensor,
): void {
  const value = steps.cast(settle(steps, a), type);
  const tensor = steps.node('Mul', [value, steps.reals(Array.from(scale), type)]);
  const rounded = roundFloats(steps, { tensor, type }, rule);
  storeFloats(steps, rounded, clamp, output.zeroPoint, output);
}

/** The clamp that only the type sets. */
export function wholeRange({ dtype }: CodesTensor): CodeClamp {
  const [least, greatest] = codeLimits(dtype);
  return { lo: Int32Array.of(least), hi: Int32Array.of(greatest) };
}
