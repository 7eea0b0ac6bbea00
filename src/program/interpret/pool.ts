// SPDX-License-Identifier: Apache-2.0
// NOTES.md, "averagePool" and "maxPool".
import type { Codes } from '../../numeric/code-types.js';
import { roundHalfEven } from '../../numeric/round.js';
import type { AveragePoolOp, MaxPoolOp, ProgramTensor } from '../program.js';
import { forEachPixel, type WindowShape } from '../window.js';
import { clamper, finisher } from './finish.js';

const f32 = Math.fround;

export function averagePool(
  op: AveragePoolOp,
  input: ProgramTensor,
  output: ProgramTensor,
  x: Codes,
  y: Codes,
): void {
  const reduce = average(op, input, output);
  overWindows(op, input, output, y, (codes, c) =>
    reduce(
      codes.map((i) => x[i]!),
      c,
    ),
  );
}

/** The codes inside one window of one channel, in row order, to the code of their mean. */
function average(
  { form, clamp }: AveragePoolOp,
  input: ProgramTensor,
  output: ProgramTensor,
): (codes: readonly number[], channel: number) => number {
  const bound = clamper(clamp);
  switch (form.kind) {
    case 'divide':
      return (codes, c) => {
        const sum = codes.reduce((total, code) => total + code, 0);
        return bound(divide(sum, codes.length, form.rule), c);
      };
    case 'requant': {
      const finish = finisher(form.requant, clamp, output.zeroPoint);
      return (codes, c) =>
        finish(
          codes.reduce((total, code) => total + (code - input.zeroPoint), 0),
          c,
        );
    }
    case 'f32Window':
      return (codes, c) => {
        const sum = codes.reduce(
          (total, code) => f32(total + f32((code - input.zeroPoint) * form.scaleIn)),
          0,
        );
        const mean = f32(sum / f32(codes.length));
        return bound(roundHalfEven(f32(f32(mean / form.scaleOut) + output.zeroPoint)), c);
      };
  }
}

function divide(sum: number, n: number, rule: 'halfAway' | 'halfUp' | 'trunc0'): number {
  const half = Math.floor(n / 2);
  switch (rule) {
    case 'halfUp':
      return Math.floor((sum + half) / n);
    case 'halfAway':
      return Math.trunc((sum + (sum > 0 ? half : -half)) / n);
    case 'trunc0':
      return Math.trunc(sum / n);
  }
}

export function maxPool(
  op: MaxPoolOp,
  input: ProgramTensor,
  output: ProgramTensor,
  x: Codes,
  y: Codes,
): void {
  const clamp = clamper(op.clamp);
  overWindows(op, input, output, y, (codes, c) =>
    clamp(
      codes.reduce((greatest, i) => Math.max(greatest, x[i]!), -Infinity),
      c,
    ),
  );
}

/** Gives `reduce` the indices of the input codes in each window of each channel. */
function overWindows(
  window: WindowShape,
  input: ProgramTensor,
  output: ProgramTensor,
  y: Codes,
  reduce: (codes: readonly number[], channel: number) => number,
): void {
  let element = 0;
  for (let oy = 0; oy < output.height; ++oy) {
    for (let ox = 0; ox < output.width; ++ox) {
      for (let c = 0; c < output.channels; ++c) {
        const codes: number[] = [];
        forEachPixel(window, input, oy, ox, (pixel) => codes.push(pixel * input.channels + c));
        y[element++] = reduce(codes, c);
      }
    }
  }
}
