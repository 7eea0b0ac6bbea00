// SPDX-License-Identifier: Apache-2.0
// program/NOTES.md, "resize".
import { attribute } from '../onnx/file/builder.js';
import type { ResizeAxis, ResizeForm, ResizeOp, ResizeWeights } from '../program/program.js';
import { roundFloats, storeFloats } from './floats.js';
import { type Integers, centred, integers, ofCodes, settle, store } from './integers.js';
import { wholeRange } from './requantize.js';
import { roundShift } from './rounding.js';
import { type CodesTensor, type Steps, rangeOf } from './steps.js';

export function writeResize(
  steps: Steps,
  op: ResizeOp,
  input: CodesTensor,
  output: CodesTensor,
): void {
  const { form } = op;
  switch (form.kind) {
    case 'integer':
      writeIntegers(steps, op, form, input, output);
      return;
    case 'f32Codes': {
      const codes = steps.cast(input.tensor, 'f32');
      const term = ({ code, down, across }: Corner): string =>
        steps.node('Mul', [steps.node('Mul', [code, down]), across]);
      // Down before across: above left, below left, above right, below right.
      const [a, b, c, d] = cornersOf(steps, op, form, codes);
      const sum = [a, c, b, d].map(term).reduce((x, y) => steps.node('Add', [x, y]));
      storeTruncated(steps, sum, output);
      return;
    }
    case 'f32Shares': {
      const codes = steps.cast(input.tensor, 'f32');
      storeTruncated(steps, sumOfShares(steps, cornersOf(steps, op, form, codes)), output);
      return;
    }
    case 'f32Reals': {
      const distance = steps.cast(settle(steps, centred(steps, input)), 'f32');
      const reals = steps.node('Mul', [distance, steps.reals([form.scaleIn])]);
      const sum = sumOfShares(steps, cornersOf(steps, op, form, reals));
      const quotient = steps.node('Div', [sum, steps.reals([form.scaleOut])]);
      const rounded = roundFloats(steps, { tensor: quotient, type: 'f32' }, 'halfEven');
      storeFloats(steps, rounded, wholeRange(output), output.zeroPoint, output);
    }
  }
}

function sumOfShares(steps: Steps, corners: readonly Corner[]): string {
  return corners
    .map(({ code, down, across }) => steps.node('Mul', [steps.node('Mul', [across, down]), code]))
    .reduce((x, y) => steps.node('Add', [x, y]));
}

/** Half added, and the fraction dropped. */
function storeTruncated(steps: Steps, sum: string, output: CodesTensor): void {
  const raised = steps.node('Add', [sum, steps.reals([0.5])]);
  const size = steps.node('Floor', [steps.node('Abs', [raised])]);
  const tensor = steps.node('Mul', [size, steps.node('Sign', [raised])]);
  storeFloats(steps, { tensor, type: 'f32' }, wholeRange(output), 0, output);
}

function writeIntegers(
  steps: Steps,
  { rows, columns }: ResizeOp,
  { bits, rule, rows: down, columns: across }: Extract<ResizeForm, { kind: 'integer' }>,
  input: CodesTensor,
  output: CodesTensor,
): void {
  const wide = settle(steps, ofCodes(steps, input));
  const lines = between(steps, wide, rows, down, bits, 2);
  const tensor = between(steps, lines, columns, across, bits, 3);
  const range = rangeOf(input.dtype);
  const unit = 1n << BigInt(2 * bits);
  const sum: Integers = integers(steps, tensor, [[range[0] * unit, range[1] * unit]]);
  store(steps, roundShift(steps, sum, [2 * bits], rule), output);
}

/** first * (2^bits - weight) + second * weight along one axis. */
function between(
  steps: Steps,
  tensor: string,
  { first, second }: ResizeAxis,
  weights: Int32Array,
  bits: number,
  axis: 2 | 3,
): string {
  const constant = (values: readonly bigint[]): string =>
    steps.constant('s64', alongAxis(values.length, axis), BigInt64Array.from(values));
  const ofSecond = Array.from(weights, BigInt);
  const unit = 1n << BigInt(bits);
  const near = steps.node('Mul', [
    gathered(steps, tensor, first, axis),
    constant(ofSecond.map((weight) => unit - weight)),
  ]);
  if (ofSecond.every((weight) => weight === 0n)) return near;
  const far = steps.node('Mul', [gathered(steps, tensor, second, axis), constant(ofSecond)]);
  return steps.node('Add', [near, far]);
}

function alongAxis(length: number, axis: 2 | 3): readonly number[] {
  return axis === 2 ? [1, 1, length, 1] : [1, 1, 1, length];
}

function gathered(steps: Steps, tensor: string, positions: Int32Array, axis: 2 | 3): string {
  const indices = steps.list(Array.from(positions));
  return steps.node('Gather', [tensor, indices], { axis: attribute.int(axis) });
}

/** One of the four that a code lies between: its tensor and the constants it counts with. */
interface Corner {
  readonly code: string;
  readonly down: string;
  readonly across: string;
}

/** Above left, above right, below left, below right. */
function cornersOf(
  steps: Steps,
  { rows, columns }: ResizeOp,
  weights: { readonly rows: ResizeWeights; readonly columns: ResizeWeights },
  tensor: string,
): readonly [Corner, Corner, Corner, Corner] {
  const sides = ['first', 'second'] as const;
  const constant = (values: Float32Array, axis: 2 | 3): string =>
    steps.constant('f32', alongAxis(values.length, axis), values);
  const corners = sides.flatMap((row) => {
    const line = gathered(steps, tensor, rows[row], 2);
    const down = constant(weights.rows[row], 2);
    return sides.map((column) => ({
      code: gathered(steps, line, columns[column], 3),
      down,
      across: constant(weights.columns[column], 3),
    }));
  });
  return corners as unknown as [Corner, Corner, Corner, Corner];
}
