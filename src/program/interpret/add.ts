// SPDX-License-Identifier: Apache-2.0
// NOTES.md, "add" and "mul".
import { type Codes, codeLimits } from '../../numeric/code-types.js';
import { fmaF32 } from '../../numeric/float32.js';
import { fixedPoint } from '../../numeric/requant.js';
import { roundHalfEven, roundShift } from '../../numeric/round.js';
import type { AddForm, AddOp, MulOp, ProgramTensor } from '../program.js';
import { clamper, finisher, requantizer } from './finish.js';

const f32 = Math.fround;

type Inputs = readonly [ProgramTensor, ProgramTensor];

/** y = A + B, element by element. */
export function add(
  op: AddOp,
  [a, b]: Inputs,
  output: ProgramTensor,
  x: Codes,
  w: Codes,
  y: Codes,
): void {
  const sum =
    op.form.kind === 'tables'
      ? tableAdder(op.form, [a, b], output.zeroPoint)
      : adder(op.form, a.zeroPoint, b.zeroPoint, output.zeroPoint);
  const clamp = clamper(op.clamp);
  for (let i = 0; i < y.length; ++i) y[i] = clamp(sum(x[i]!, w[i]!), 0);
}

/** Two codes to the sum's code, zero point included, before the clamp. */
function adder(
  form: Exclude<AddForm, { kind: 'tables' }>,
  za: number,
  zb: number,
  z: number,
): (a: number, b: number) => number {
  switch (form.kind) {
    case 'rescaled': {
      const unit = 2 ** form.leftShift;
      const { multiplierA, shiftA, multiplierB, shiftB, multiplierOut, shiftOut, rule } = form;
      return (a, b) =>
        fixedPoint(
          fixedPoint((a - za) * unit, multiplierA, shiftA, rule) +
            fixedPoint((b - zb) * unit, multiplierB, shiftB, rule),
          multiplierOut,
          shiftOut,
          rule,
        ) + z;
    }
    case 'aligned': {
      const { multiplierA, multiplierB, shift, rule } = form;
      return (a, b) => {
        const p = (a - za) * multiplierA + (b - zb) * multiplierB;
        return (shift === 0 ? p : roundShift(p, shift, rule)) + z;
      };
    }
    case 'f32':
      return f32Adder(form.form, form, za, zb, z);
    case 'requant': {
      const requantize = requantizer(form.requant);
      return (a, b) => requantize((a - za) * form.multiplierA + (b - zb) * form.multiplierB, 0) + z;
    }
  }
}

function tableAdder(
  { tableA, tableB, requant }: Extract<AddForm, { kind: 'tables' }>,
  inputs: Inputs,
  z: number,
): (a: number, b: number) => number {
  const [leastA, leastB] = inputs.map(({ dtype }) => codeLimits(dtype)[0]) as [number, number];
  const requantize = requantizer(requant);
  return (a, b) => requantize(tableA[a - leastA]! + tableB[b - leastB]!, 0) + z;
}

function f32Adder(
  form: 'separate' | 'fused' | 'direct',
  { scaleA: ra, scaleB: rb, scaleOut }: Extract<AddForm, { kind: 'f32' }>,
  za: number,
  zb: number,
  z: number,
): (a: number, b: number) => number {
  switch (form) {
    case 'separate': {
      const fix = f32(z - f32(f32(ra * za) + f32(rb * zb)));
      return (a, b) => roundHalfEven(f32(f32(fix + f32(a * ra)) + f32(b * rb)));
    }
    case 'fused': {
      const fix = f32(z - fmaF32(ra, za, f32(rb * zb)));
      return (a, b) => roundHalfEven(fmaF32(a, ra, fmaF32(b, rb, fix)));
    }
    case 'direct':
      return (a, b) => {
        const sum = f32(f32(ra * f32(a - za)) + f32(rb * f32(b - zb)));
        return roundHalfEven(f32(f32(sum / scaleOut) + z));
      };
  }
}

/** y = A * B, element by element; B may be one pixel, repeated over the image. */
export function mul(
  op: MulOp,
  [a, b]: Inputs,
  output: ProgramTensor,
  x: Codes,
  w: Codes,
  y: Codes,
): void {
  const finish = finisher(op.requant, op.clamp, output.zeroPoint);
  for (let i = 0; i < y.length; ++i) {
    const other = w[w.length === y.length ? i : i % b.channels]!;
    y[i] = finish((x[i]! - a.zeroPoint) * (other - b.zeroPoint), i % output.channels);
  }
}
