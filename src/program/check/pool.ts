// SPDX-License-Identifier: Apache-2.0
import type { AveragePoolOp, MaxPoolOp } from '../program.js';
import { centred, checkSameCodes, int32, moderate, type Context } from './place.js';
import { alike, checkClamp, checkRequant } from './requant.js';
import { checkPoolWindow } from './window.js';

export function checkAveragePool(op: AveragePoolOp, context: Context): void {
  const { place, input, output } = context;
  checkPoolWindow(op, context);
  checkClamp(op.clamp, output.channels, context);
  switch (op.form.kind) {
    case 'divide':
      checkSameCodes(context);
      break;
    case 'requant': {
      const area = op.kernel[0] * op.kernel[1];
      const [least, greatest] = centred(input);
      const sums = [least * area, greatest * area] as const;
      place.integers(sums, int32, 'sums of 32 bits');
      checkRequant(op.form.requant, context, alike(output.channels, sums));
      break;
    }
    case 'f32Window':
      place.scale(op.form.scaleIn, moderate, 'scaleIn');
      place.scale(op.form.scaleOut, moderate, 'scaleOut');
      break;
  }
}

export function checkMaxPool(op: MaxPoolOp, context: Context): void {
  checkPoolWindow(op, context);
  checkSameCodes(context);
  checkClamp(op.clamp, context.output.channels, context);
}
