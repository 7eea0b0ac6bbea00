// SPDX-License-Identifier: Apache-2.0
// program/NOTES.md, "add" and "mul".
import { codeLimits, codeArrays } from '../numeric/code-types.js';
import { fmaF32 } from '../numeric/float32.js';
import { roundHalfEven } from '../numeric/round.js';
import type { AddForm, AddOp, MulOp } from '../program/program.js';
import { vectorOf } from './bounds.js';
import { roundFloats, storeFloats } from './floats.js';
import {
  type Integers,
  centred,
  lookUp,
  ofCodes,
  plus,
  product,
  settle,
  sum,
  times,
} from './integers.js';
import { finish, storeClamped } from './requantize.js';
import { fixedPoint, roundShift } from './rounding.js';
import { type CodesTensor, type Steps, rangeOf } from './steps.js';

type Operands = readonly [CodesTensor, CodesTensor];
type Form<Kind extends AddForm['kind']> = Extract<AddForm, { kind: Kind }>;

export function writeMul(steps: Steps, op: MulOp, [a, b]: Operands, output: CodesTensor): void {
  const p = product(steps, centred(steps, a), centred(steps, b));
  finish(steps, p, op.requant, op.clamp, output);
}

export function writeAdd(steps: Steps, op: AddOp, operands: Operands, output: CodesTensor): void {
  const { form, clamp } = op;
  const coded = (a: Integers): void => {
    storeClamped(steps, plus(a, [BigInt(output.zeroPoint)]), clamp, output);
  };
  switch (form.kind) {
    case 'rescaled':
      coded(rescaledSum(steps, form, operands));
      return;
    case 'aligned':
      coded(roundShift(steps, weightedSum(steps, form, operands), [form.shift], form.rule));
      return;
    case 'requant':
      finish(steps, weightedSum(steps, form, operands), form.requant, clamp, output);
      return;
    case 'tables':
      finish(steps, tableSum(steps, form, operands), form.requant, clamp, output);
      return;
    case 'f32':
      writeFloatAdd(steps, op, form, operands, output);
  }
}

function rescaledSum(steps: Steps, form: Form<'rescaled'>, [a, b]: Operands): Integers {
  const { leftShift, rule } = form;
  const operand = (codes: CodesTensor, multiplier: number, shift: number): Integers => {
    const shifted = times(steps, centred(steps, codes), [1n << BigInt(leftShift)]);
    return fixedPoint(steps, shifted, [BigInt(multiplier)], [shift], rule);
  };
  const both = sum(
    steps,
    operand(a, form.multiplierA, form.shiftA),
    operand(b, form.multiplierB, form.shiftB),
  );
  return fixedPoint(steps, both, [BigInt(form.multiplierOut)], [form.shiftOut], rule);
}

function weightedSum(
  steps: Steps,
  form: Pick<Form<'aligned'>, 'multiplierA' | 'multiplierB'>,
  [a, b]: Operands,
): Integers {
  return sum(
    steps,
    times(steps, centred(steps, a), [BigInt(form.multiplierA)]),
    times(steps, centred(steps, b), [BigInt(form.multiplierB)]),
  );
}

function tableSum(steps: Steps, { tableA, tableB }: Form<'tables'>, [a, b]: Operands): Integers {
  const at = (table: Int32Array, codes: CodesTensor): Integers =>
    lookUp(steps, vectorOf(table), indexOf(steps, codes));
  return sum(steps, at(tableA, a), at(tableB, b));
}

/** The place of each code among its type's. */
function indexOf(steps: Steps, codes: CodesTensor): Integers {
  return plus(ofCodes(steps, codes), [-rangeOf(codes.dtype)[0]]);
}

function writeFloatAdd(
  steps: Steps,
  { clamp }: AddOp,
  form: Form<'f32'>,
  operands: Operands,
  output: CodesTensor,
): void {
  if (form.form === 'fused') {
    writeFusedAdd(steps, clamp, form, operands, output);
    return;
  }
  const real =
    form.form === 'separate'
      ? separateSum(steps, form, operands, output)
      : directSum(steps, form, operands, output);
  const rounded = roundFloats(steps, { tensor: real, type: 'f32' }, 'halfEven');
  storeFloats(steps, rounded, clamp, 0, output);
}

/** f32(f32(fix + f32(a * ra)) + f32(b * rb)): each operator rounds once. */
function separateSum(
  steps: Steps,
  { scaleA, scaleB }: Form<'f32'>,
  [a, b]: Operands,
  { zeroPoint }: CodesTensor,
): string {
  const f32 = Math.fround;
  const zeros = f32(f32(scaleA * a.zeroPoint) + f32(scaleB * b.zeroPoint));
  const scaled = (codes: CodesTensor, scale: number): string =>
    steps.node('Mul', [steps.cast(codes.tensor, 'f32'), steps.reals([scale])]);
  const first = steps.node('Add', [steps.reals([f32(zeroPoint - zeros)]), scaled(a, scaleA)]);
  return steps.node('Add', [first, scaled(b, scaleB)]);
}

function directSum(
  steps: Steps,
  { scaleA, scaleB, scaleOut }: Form<'f32'>,
  [a, b]: Operands,
  { zeroPoint }: CodesTensor,
): string {
  const real = (codes: CodesTensor, scale: number): string => {
    const distance = steps.cast(settle(steps, centred(steps, codes)), 'f32');
    return steps.node('Mul', [steps.reals([scale]), distance]);
  };
  const total = steps.node('Add', [real(a, scaleA), real(b, scaleB)]);
  const quotient = steps.node('Div', [total, steps.reals([scaleOut])]);
  return steps.node('Add', [quotient, steps.reals([zeroPoint])]);
}

/** ONNX has no fused multiply-add, so all pairs of codes stand in a table. */
function writeFusedAdd(
  steps: Steps,
  clamp: AddOp['clamp'],
  form: Form<'f32'>,
  [a, b]: Operands,
  output: CodesTensor,
): void {
  if (!isByte(a) || !isByte(b)) {
    steps.refuse('it adds 16-bit codes by fused multiply-adds, which ONNX does not have');
  }
  const table = fusedTable(form, [a, b], clamp, output);
  const index = sum(steps, times(steps, indexOf(steps, a), [256n]), indexOf(steps, b));
  const stored = steps.constant(output.dtype, [table.length], table);
  steps.node('Gather', [stored, settle(steps, index)], {}, output.tensor);
}

const isByte = ({ dtype }: CodesTensor): boolean => dtype === 'u8' || dtype === 's8';

/** The code of each pair of codes, those of b side by side. */
function fusedTable(
  { scaleA, scaleB }: Form<'f32'>,
  [a, b]: Operands,
  { lo, hi }: AddOp['clamp'],
  { dtype, zeroPoint }: CodesTensor,
): Uint8Array | Int8Array | Int16Array | Int32Array {
  const inner = fmaF32(scaleA, a.zeroPoint, Math.fround(scaleB * b.zeroPoint));
  const fix = Math.fround(zeroPoint - inner);
  const [leastA, leastB] = [codeLimits(a.dtype)[0], codeLimits(b.dtype)[0]];
  return new codeArrays[dtype](65536).map((_, i) => {
    const rest = fmaF32((i & 255) + leastB, scaleB, fix);
    const code = roundHalfEven(fmaF32((i >> 8) + leastA, scaleA, rest));
    return Math.min(Math.max(code, lo[0]!), hi[0]!);
  });
}
