// SPDX-License-Identifier: Apache-2.0
import { LimitError } from '../errors.js';
import { fixedPoint } from '../numeric/requant.js';
import type { Accumulator, ConvOp, Op, Program, ProgramTensor } from '../program/program.js';
import { extremeOf, pairBounds, sumBounds, type Extreme, type SumBounds } from './conv-bounds.js';
import { codeIntervals, type Interval } from './intervals.js';

/** What one operation's accumulator can hold, over all inputs. */
export interface LayerProof {
  readonly name: string;
  readonly op: Op['op'];
  readonly accMin: number;
  readonly accMax: number;
  /** Width of two's complement that holds both. */
  readonly bitsNeeded: number;
  readonly bitsHave: number;
  /** Whether nothing can overflow or saturate on the way. */
  readonly ok: boolean;
  /** What the accumulator does beyond its range. */
  readonly overflow?: Accumulator['overflow'];
  /** Pairs of products that saturate to 16 bits: what they reach. */
  readonly pairs?: SumBounds & { readonly ok: boolean };
  /** Codes that leave the range when the operation reads them; absent where only bounds do (border windows). */
  readonly counterexample?: Extreme;
}

/** Bounds of every accumulator over all images, and whether each fits the target. */
export interface Certificate {
  readonly ok: boolean;
  readonly layers: readonly LayerProof[];
}

/**
 * Bounds every accumulator of a program by its own weights, biases and the codes that its input can hold, in plain
 * arithmetic of this folder: nothing is taken over from the engine, which computes bounds for itself. `ok`: no
 * image whatever makes an accumulator overflow.
 */
export function prove(program: Program): Certificate {
  const intervals = codeIntervals(program);
  const layers = program.ops.flatMap((op) => proofOf(op, program.tensors, intervals) ?? []);
  return { ok: layers.every(({ ok }) => ok), layers };
}

function proofOf(
  op: Op,
  tensors: readonly ProgramTensor[],
  intervals: readonly Interval[],
): LayerProof | undefined {
  const inputs = op.inputs.map((index) => tensors[index]!);
  const codes = op.inputs.map((index) => intervals[index]!);
  if (op.op === 'conv') return convProof(op, inputs[0]!, codes[0]!);
  const sums = sumsOf(op, inputs, codes);
  if (sums === undefined) return undefined;
  const { bits, ...ends } = sums;
  return { name: op.name, op: op.op, ...verdict(ends, bits) };
}

function convProof(op: ConvOp, input: ProgramTensor, codes: Interval): LayerProof {
  requireExact(op);
  const { accumulator } = op;
  const channels = [...op.bias.keys()];
  const bounds = channels.map((channel) => sumBounds(op, input, codes, channel));
  const sums = verdict(hull(bounds), accumulator.bits, accumulator.overflow);
  const pairs =
    accumulator.products === 'satPairs16'
      ? hull(channels.map((channel) => pairBounds(op, input, codes, channel)))
      : undefined;
  const pairsFit = pairs === undefined || fits(pairs, 16);
  return {
    ...{ name: op.name, op: op.op, ...sums, ok: sums.ok && pairsFit },
    overflow: accumulator.overflow,
    ...(pairs && { pairs: { ...pairs, ok: pairsFit } }),
    ...(sums.ok ? {} : counterexampleOf(op, input, codes, bounds)),
  };
}

/** The sum that leaves the range furthest, and the codes that make it, if codes inside the image do. */
function counterexampleOf(
  op: ConvOp,
  input: ProgramTensor,
  codes: Interval,
  bounds: readonly SumBounds[],
): Pick<LayerProof, 'counterexample'> {
  const { min, max } = hull(bounds);
  const side = max >= -min ? 'greatest' : 'least';
  const channel = bounds.findIndex((one) =>
    side === 'greatest' ? one.max === max : one.min === min,
  );
  const counterexample = extremeOf(op, input, codes, channel, side);
  const { bits, overflow } = op.accumulator;
  const { value } = counterexample;
  return verdict({ min: value, max: value }, bits, overflow).ok ? {} : { counterexample };
}

/** Sums of other operations; undefined where none are kept in an integer register. */
function sumsOf(
  op: Exclude<Op, ConvOp>,
  inputs: readonly ProgramTensor[],
  codes: readonly Interval[],
): (SumBounds & { readonly bits: number }) | undefined {
  const [a, b] = inputs.map((tensor, i) => centred(tensor, codes[i]!));
  switch (op.op) {
    case 'mul': {
      const corners = [a!.min * b!.min, a!.min * b!.max, a!.max * b!.min, a!.max * b!.max];
      return { min: Math.min(...corners), max: Math.max(...corners), bits: 32 };
    }
    case 'averagePool': {
      if (op.form.kind !== 'requant') return undefined;
      const area = op.kernel[0] * op.kernel[1];
      // Windows at the border sum fewer positions.
      return { min: Math.min(0, area * a!.min), max: Math.max(0, area * a!.max), bits: 32 };
    }
    case 'add':
      return addBounds(op.form, a!, b!);
    case 'concat':
    case 'lut':
    case 'maxPool':
    case 'pad':
    case 'reshape':
    case 'resize':
    case 'softmax':
    case 'splice':
      return undefined;
  }
}

/** Multipliers are not negative, so the ends of the operands make the ends of the sum. */
function addBounds(
  form: Extract<Op, { op: 'add' }>['form'],
  a: SumBounds,
  b: SumBounds,
): (SumBounds & { readonly bits: number }) | undefined {
  switch (form.kind) {
    case 'rescaled': {
      const unit = 2 ** form.leftShift;
      const sum = (x: number, y: number): number =>
        fixedPoint(x * unit, form.multiplierA, form.shiftA, form.rule) +
        fixedPoint(y * unit, form.multiplierB, form.shiftB, form.rule);
      return { min: sum(a.min, b.min), max: sum(a.max, b.max), bits: 32 };
    }
    case 'aligned':
    case 'requant': {
      const sum = (x: number, y: number): number => x * form.multiplierA + y * form.multiplierB;
      const bits = form.kind === 'aligned' ? 64 : 32;
      return { min: sum(a.min, b.min), max: sum(a.max, b.max), bits };
    }
    case 'f32':
    case 'tables':
      return undefined;
  }
}

/** Ends of x - z over all channels. */
function centred({ zeroPoint }: ProgramTensor, { lo, hi }: Interval): SumBounds {
  return {
    min: lo.reduce((least, code) => Math.min(least, code), Infinity) - zeroPoint,
    max: hi.reduce((greatest, code) => Math.max(greatest, code), -Infinity) - zeroPoint,
  };
}

function verdict(
  { min, max }: SumBounds,
  bits: number,
  overflow?: Accumulator['overflow'],
): Pick<LayerProof, 'accMin' | 'accMax' | 'bitsNeeded' | 'bitsHave' | 'ok'> {
  // Where saturation is symmetric the least code of the width is outside.
  const least = overflow === 'saturateSymmetric' ? min - 1 : min;
  const needed = bitsFor({ min: least, max });
  return { accMin: min, accMax: max, bitsNeeded: needed, bitsHave: bits, ok: needed <= bits };
}

function fits(bounds: SumBounds, bits: number): boolean {
  return bitsFor(bounds) <= bits;
}

/** Two's complement of n bits holds [-2^(n-1), 2^(n-1) - 1]. */
export function bitsFor({ min, max }: SumBounds): number {
  let bits = 1;
  while (min < -(2 ** (bits - 1)) || max > 2 ** (bits - 1) - 1) bits++;
  return bits;
}

function hull(bounds: readonly SumBounds[]): SumBounds {
  return {
    min: bounds.reduce((least, { min }) => Math.min(least, min), Infinity),
    max: bounds.reduce((greatest, { max }) => Math.max(greatest, max), -Infinity),
  };
}

/** Sums of 16-bit products stay exact in a float64 up to 2^20 terms. */
function requireExact({ name, weights, bias }: ConvOp): void {
  if (weights.length / bias.length <= 2 ** 20) return;
  throw new LimitError('too-many-terms', `layer "${name}"`, 'more than 2^20 terms of one sum');
}
