// SPDX-License-Identifier: Apache-2.0
// program/NOTES.md, "softmax": over the channels of each pixel. Every function of one difference
// from the maximum is a table; what is left is one sum, its reciprocal and a product.
import { expOnNegativeValues, rdbpot, srdhm } from '../numeric/gemmlowp.js';
import { attribute } from '../onnx/file/builder.js';
import type { SoftmaxForm, SoftmaxOp } from '../program/program.js';
import type { Vector } from './bounds.js';
import { roundFloats, storeFloats } from './floats.js';
import {
  type Integers,
  floorQuotient,
  integers,
  lookUp,
  ofCodes,
  plus,
  product,
  settle,
  sum,
  times,
  within,
} from './integers.js';
import { wholeRange, storeClamped } from './requantize.js';
import { type CodesTensor, type Steps, rangeOf } from './steps.js';

type Form<Kind extends SoftmaxForm['kind']> = Extract<SoftmaxForm, { kind: Kind }>;

export function writeSoftmax(
  steps: Steps,
  { form }: SoftmaxOp,
  input: CodesTensor,
  output: CodesTensor,
): void {
  const below = belowMaximum(steps, input);
  switch (form.kind) {
    case 'gemmlowp':
      writeFixedPoint(steps, form, below, output);
      return;
    case 'f32Table':
      writeTable(steps, form, below, output);
      return;
    case 'wideTable':
      writeWide(steps, form, below, output);
  }
}

/** max - x: 0 to the span of the input's type. */
function belowMaximum(steps: Steps, input: CodesTensor): Integers {
  const codes = ofCodes(steps, input);
  const greatest = overChannels(steps, 'ReduceMax', codes, codes.bounds);
  const [least, most] = rangeOf(input.dtype);
  const difference = steps.node('Sub', [greatest.tensor, codes.tensor]);
  return integers(steps, difference, [[0n, most - least]]);
}

function overChannels(
  steps: Steps,
  op: 'ReduceMax' | 'ReduceSum',
  a: Integers,
  bounds: Integers['bounds'],
): Integers {
  // Until opset 18 the axes of a sum are an input, those of a maximum an attribute.
  const axes = op === 'ReduceSum' ? [steps.list([1])] : [];
  const attributes = op === 'ReduceSum' ? {} : { axes: attribute.ints([1]) };
  return integers(steps, steps.node(op, [settle(steps, a), ...axes], attributes), bounds);
}

function total(steps: Steps, a: Integers, { channels }: CodesTensor): Integers {
  const [, greatest] = a.bounds[0]!;
  return overChannels(steps, 'ReduceSum', a, [[1n, greatest * BigInt(channels)]]);
}

const greatestInt32 = (1n << 31n) - 1n;

/** Leading zeros of positive integers below 2^32: the number of powers of two that exceed each. */
function leadingZeros(steps: Steps, a: Integers): Integers {
  const powers = BigInt64Array.from({ length: 32 }, (_, k) => 1n << BigInt(k));
  const exceed = steps.node('Less', [
    settle(steps, a),
    steps.constant('s64', [32, 1, 1, 1], powers),
  ]);
  const ones = integers(steps, steps.cast(exceed, 's64'), [[0n, 1n]]);
  const count = steps.node('ReduceSum', [ones.tensor, steps.list([0])]);
  return integers(steps, count, [[0n, 31n]]);
}

/** 2^k for k from 0 to 62. */
function powerOfTwo(steps: Steps, k: Integers): Integers {
  const [, most] = k.bounds[0]!;
  return lookUp(
    steps,
    Array.from({ length: Number(most) + 1 }, (_, n) => 1n << BigInt(n)),
    k,
  );
}

/** A - k. */
function lessThan(steps: Steps, a: bigint, k: Integers): Integers {
  return plus(times(steps, k, [-1n]), [a]);
}

// --- gemmlowp ------------------------------------------------------------------------------------

function writeFixedPoint(
  steps: Steps,
  form: Form<'gemmlowp'>,
  below: Integers,
  output: CodesTensor,
): void {
  const exps = exponentials(form);
  const summed = total(
    steps,
    lookUp(
      steps,
      exps.map((e) => (e === undefined ? 0n : BigInt(rdbpot(e, 12)))),
      below,
    ),
    output,
  );
  // Q12.19, at most 4095 channels: below 2^32.
  const zeros = leadingZeros(steps, { ...summed, bounds: [[1n, (1n << 32n) - 1n]] });
  const scaled = steps.node('Mul', [summed.tensor, settle(steps, powerOfTwo(steps, zeros))]);
  const fraction = plus(integers(steps, scaled, [[1n << 31n, (1n << 32n) - 1n]]), [-(1n << 31n)]);
  const reciprocal = oneOverOnePlus(steps, fraction);
  const e = lookUp(
    steps,
    exps.map((value) => BigInt(value ?? 0)),
    below,
  );
  const share = highProduct(steps, reciprocal, e);
  const code = plus(roundedQuotient(steps, share, powerOfTwo(steps, lessThan(steps, 35n, zeros))), [
    rangeOf(output.dtype)[0],
  ]);
  storeClamped(steps, code, wholeRange(output), output);
}

/** exp of each difference, Q0.31; nothing below diffMin, where the code is the least and the share 0. */
function exponentials({
  multiplier,
  leftShift,
  diffMin,
}: Form<'gemmlowp'>): (number | undefined)[] {
  return Array.from({ length: 256 }, (_, below) =>
    -below < diffMin ? undefined : expOnNegativeValues(srdhm(-below * 2 ** leftShift, multiplier)),
  );
}

/** SRDHM of values that are not both -2^31. */
function highProduct(steps: Steps, a: Integers, b: Integers): Integers {
  return floorQuotient(steps, plus(product(steps, a, b), [1n << 30n]), [1n << 31n]);
}

function saturated(steps: Steps, a: Integers): Integers {
  return within(steps, a, [-greatestInt32 - 1n], [greatestInt32]);
}

/** 1 / (1 + a) by three Newton steps, as numeric/gemmlowp.ts. */
function oneOverOnePlus(steps: Steps, a: Integers): Integers {
  const half = floorQuotient(steps, plus(a, [greatestInt32 + 1n]), [2n]);
  const constant = (value: bigint): Integers =>
    integers(steps, steps.vector([value]), [[value, value]]);
  let x = plus(highProduct(steps, half, constant(-1010580540n)), [1515870810n]);
  for (let step = 0; step < 3; ++step) {
    const rest = plus(times(steps, highProduct(steps, half, x), [-1n]), [1n << 29n]);
    const change = times(steps, highProduct(steps, x, rest), [4n]);
    // The definition keeps x in 32 bits, so its bounds may be taken to hold.
    x = { ...sum(steps, x, saturated(steps, change)), bounds: int32 };
  }
  return saturated(steps, times(steps, x, [2n]));
}

const int32: Integers['bounds'] = [[-greatestInt32 - 1n, greatestInt32]];

/** a / divisor, ties away from zero, for a that is not negative. */
function roundedQuotient(steps: Steps, a: Integers, divisor: Integers): Integers {
  const by = settle(steps, divisor);
  const half = steps.node('Div', [by, steps.vector([2n])]);
  const raised = steps.node('Add', [settle(steps, a), half]);
  return integers(steps, steps.node('Div', [raised, by]), a.bounds);
}

// --- tables of float32 ---------------------------------------------------------------------------

function writeTable(
  steps: Steps,
  { table, outputScale, rule }: Form<'f32Table'>,
  below: Integers,
  output: CodesTensor,
): void {
  const powers = steps.node('Gather', [
    steps.constant('f32', [table.length], table),
    settle(steps, below),
  ]);
  const summed = orderedSum(steps, powers, output.channels);
  const scaled = steps.node('Mul', [summed, steps.reals([outputScale])]);
  const inverse = steps.node('Div', [steps.reals([1]), scaled]);
  const tensor = steps.node('Mul', [powers, inverse]);
  // Shares are not negative, so truncating is flooring.
  const rounded = roundFloats(
    steps,
    { tensor, type: 'f32' },
    rule === 'halfAway' ? 'halfAway' : 'addHalfFloor',
  );
  storeFloats(steps, rounded, wholeRange(output), output.zeroPoint, output);
}

/** A float32 sum depends on its order, and no reduction of ONNX states one: an Add per channel. */
function orderedSum(steps: Steps, tensor: string, channels: number): string {
  if (channels === 1) return tensor;
  return steps.split(tensor, channels).reduce((a, b) => steps.node('Add', [a, b]));
}

// --- 16 bits -------------------------------------------------------------------------------------

function writeWide(
  steps: Steps,
  { exp, reciprocal }: Form<'wideTable'>,
  below: Integers,
  output: CodesTensor,
): void {
  const table = (values: Int16Array): Vector => Array.from(values, BigInt);
  const e = lookUp(steps, table(exp), below);
  const summed = total(steps, e, output);
  const zeros = leadingZeros(steps, { ...summed, bounds: [[1n, (1n << 32n) - 1n]] });
  const inverse = lookUp(steps, table(reciprocal), reciprocalIndex(steps, summed, zeros));
  const shares = product(steps, e, inverse);
  const divisor = powerOfTwo(steps, lessThan(steps, 31n, zeros));
  storeClamped(
    steps,
    roundedQuotient(steps, shares, divisor),
    { lo: Int32Array.of(0), hi: Int32Array.of(32767) },
    output,
  );
}

/** min(((S << (n - 1)) + 2^13 >> 14) - 2^16, 65535); S has 31 bits, so n is at least 1. */
function reciprocalIndex(steps: Steps, summed: Integers, zeros: Integers): Integers {
  const power = settle(steps, powerOfTwo(steps, plus(zeros, [-1n])));
  const shifted = integers(steps, steps.node('Mul', [summed.tensor, power]), [
    [1n << 30n, (1n << 31n) - 1n],
  ]);
  const normal = floorQuotient(steps, plus(shifted, [1n << 13n]), [1n << 14n]);
  return within(steps, plus(normal, [-(1n << 16n)]), [0n], [65535n]);
}
