// SPDX-License-Identifier: Apache-2.0
import type { ResizeAxis, ResizeOp, ResizeWeights } from '../program.js';
import { checkSameCodes, moderate, requireEightBits, requireShape, type Context } from './place.js';

const mostBits = 11;

export function checkResize({ form, rows, columns }: ResizeOp, context: Context): void {
  const { place, input, output } = context;
  requireShape(context, output.height, output.width, input.channels);
  checkAxis(rows, input.height, output.height, context);
  checkAxis(columns, input.width, output.width, context);
  if (form.kind === 'integer') {
    place.integer(form.bits, [0, mostBits], 'fractional bits');
    for (const [weights, count] of [
      [form.rows, output.height],
      [form.columns, output.width],
    ] as const) {
      place.integer(weights.length, [count, count], 'the number of weights');
      place.integers(weights, [0, 2 ** form.bits], 'a weight');
    }
    checkSameCodes(context);
    return;
  }
  requireEightBits(context, input);
  requireEightBits(context, output);
  checkWeights(form.rows, output.height, context);
  checkWeights(form.columns, output.width, context);
  if (form.kind === 'f32Reals') {
    place.scale(form.scaleIn, moderate, 'scaleIn');
    place.scale(form.scaleOut, moderate, 'scaleOut');
  } else {
    checkSameCodes(context);
  }
}

function checkAxis({ first, second }: ResizeAxis, from: number, to: number, { place }: Context) {
  for (const positions of [first, second]) {
    place.integer(positions.length, [to, to], 'the number of positions');
    place.integers(positions, [0, from - 1], 'a position');
  }
}

function checkWeights({ first, second }: ResizeWeights, count: number, { place }: Context): void {
  for (const weights of [first, second]) {
    place.integer(weights.length, [count, count], 'the number of weights');
    for (const weight of weights) place.scale(weight, [-2, 2], 'a weight');
  }
}
