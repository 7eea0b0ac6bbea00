// SPDX-License-Identifier: Apache-2.0
// program/NOTES.md, "Real inputs", and what the codes of an output stand for.
import type { Program } from '../program/program.js';
import { roundFloats, storeFloats } from './floats.js';
import { centred, settle } from './integers.js';
import { wholeRange } from './requantize.js';
import type { CodesTensor, Steps } from './steps.js';

/** Float32 pixels [1, C, H, W] to codes. A NaN, which lastbit refuses, becomes some code. */
export function writeInput(steps: Steps, program: Program, real: string, codes: CodesTensor): void {
  const { scale } = program.tensors[program.input]!;
  const { form, rule } = program.inputQuantization;
  const tensor =
    form === 'divide'
      ? steps.node('Div', [real, steps.reals([scale])])
      : steps.node('Mul', [real, steps.reals([Math.fround(1 / scale)])]);
  const rounded = roundFloats(steps, { tensor, type: 'f32' }, rule);
  storeFloats(steps, rounded, wholeRange(codes), codes.zeroPoint, codes);
}

/** f32(f32(code - zero point) * scale), [1, C] where the output has one pixel. */
export function writeReal(steps: Steps, codes: CodesTensor, scale: number, wanted: string): void {
  const distance = steps.cast(settle(steps, centred(steps, codes)), 'f32');
  const factor = steps.reals([scale]);
  if (realShape(codes).length === 4) {
    steps.node('Mul', [distance, factor], {}, wanted);
    return;
  }
  const row = steps.node('Reshape', [distance, steps.list(realShape(codes))]);
  steps.node('Mul', [row, factor], {}, wanted);
}

export function realShape({ height, width, channels }: CodesTensor): readonly number[] {
  return height * width === 1 ? [1, channels] : [1, channels, height, width];
}
