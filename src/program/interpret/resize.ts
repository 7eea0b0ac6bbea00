// SPDX-License-Identifier: Apache-2.0
// NOTES.md, "resize".
import { clampInteger, type Codes, codeLimits } from '../../numeric/code-types.js';
import { roundHalfEven, roundShift, roundTable } from '../../numeric/round.js';
import type { ProgramTensor, ResizeForm, ResizeOp, ResizeWeights } from '../program.js';

const f32 = Math.fround;

/** Codes above left, above right, below left and below right of the place (y, x) of the output. */
type Corners = readonly [number, number, number, number];
type Blend = (corners: Corners, y: number, x: number) => number;

export function resize(
  { form, rows, columns }: ResizeOp,
  input: ProgramTensor,
  output: ProgramTensor,
  x: Codes,
  y: Codes,
): void {
  const blend = blending(form, input, output);
  const { channels } = output;
  let at = 0;
  for (let row = 0; row < output.height; ++row) {
    for (let column = 0; column < output.width; ++column) {
      const pixel = (iy: number, ix: number) => (iy * input.width + ix) * channels;
      const [top, bottom] = [rows.first[row]!, rows.second[row]!];
      const [left, right] = [columns.first[column]!, columns.second[column]!];
      const pixels = [pixel(top, left), pixel(top, right), pixel(bottom, left)] as const;
      const last = pixel(bottom, right);
      for (let c = 0; c < channels; ++c) {
        const [a, b, d] = pixels;
        y[at++] = blend([x[a + c]!, x[b + c]!, x[d + c]!, x[last + c]!], row, column);
      }
    }
  }
}

function blending(form: ResizeForm, input: ProgramTensor, output: ProgramTensor): Blend {
  const [least, greatest] = codeLimits(output.dtype);
  const within = (code: number): number => clampInteger(code, least, greatest);
  switch (form.kind) {
    case 'integer': {
      const unit = 2 ** form.bits;
      return ([a, b, d, e], row, column) => {
        const [down, right] = [form.rows[row]!, form.columns[column]!];
        const top = a * (unit - right) + b * right;
        const bottom = d * (unit - right) + e * right;
        const sum = top * (unit - down) + bottom * down;
        return form.bits === 0 ? sum : roundShift(sum, 2 * form.bits, form.rule);
      };
    }
    case 'f32Codes':
      return ([a, b, d, e], row, column) => {
        const [top, bottom] = [form.rows.first[row]!, form.rows.second[row]!];
        const [left, right] = [form.columns.first[column]!, form.columns.second[column]!];
        const term = (code: number, down: number, across: number) => f32(f32(code * down) * across);
        const first = f32(term(a, top, left) + term(d, bottom, left));
        const sum = f32(f32(first + term(b, top, right)) + term(e, bottom, right));
        return within(roundTable(sum, 'truncHalf'));
      };
    case 'f32Shares':
      return (corners, row, column) =>
        within(roundTable(sumOfShares(form, corners, row, column), 'truncHalf'));
    case 'f32Reals':
      return (corners, row, column) => {
        const reals = corners.map((code) => f32((code - input.zeroPoint) * form.scaleIn));
        const sum = sumOfShares(form, reals, row, column);
        return within(roundHalfEven(f32(sum / form.scaleOut)) + output.zeroPoint);
      };
  }
}

/** Above left, above right, below left, below right, each times the product of its weights. */
function sumOfShares(
  { rows, columns }: { readonly rows: ResizeWeights; readonly columns: ResizeWeights },
  values: readonly number[],
  row: number,
  column: number,
): number {
  const shares = [rows.first[row]!, rows.second[row]!].flatMap((down) =>
    [columns.first[column]!, columns.second[column]!].map((across) => f32(across * down)),
  );
  const terms = values.map((value, i) => f32(shares[i]! * value));
  return terms.reduce((sum, term) => f32(sum + term));
}
