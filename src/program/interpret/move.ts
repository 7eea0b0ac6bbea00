// SPDX-License-Identifier: Apache-2.0
// NOTES.md, "concat", "pad", "reshape", "lut" and "splice": operations that compute nothing.
import { type Codes, codeLimits } from '../../numeric/code-types.js';
import type { LutOp, PadOp, ProgramTensor, SpliceOp } from '../program.js';

export function concat(
  inputs: readonly ProgramTensor[],
  output: ProgramTensor,
  xs: readonly Codes[],
  y: Codes,
): void {
  let first = 0;
  inputs.forEach(({ channels }, n) => {
    for (let pixel = 0; pixel < output.height * output.width; ++pixel) {
      const codes = xs[n]!.subarray(pixel * channels, (pixel + 1) * channels);
      y.set(codes, pixel * output.channels + first);
    }
    first += channels;
  });
}

export function pad(
  { pads: [top, left] }: PadOp,
  input: ProgramTensor,
  output: ProgramTensor,
  x: Codes,
  y: Codes,
): void {
  y.fill(output.zeroPoint);
  const row = input.width * input.channels;
  for (let line = 0; line < input.height; ++line) {
    const start = ((line + top) * output.width + left) * output.channels;
    y.set(x.subarray(line * row, (line + 1) * row), start);
  }
}

export function lut({ table }: LutOp, input: ProgramTensor, x: Codes, y: Codes): void {
  const [least] = codeLimits(input.dtype);
  for (let i = 0; i < x.length; ++i) y[i] = table[x[i]! - least]!;
}

export function splice({ period, from }: SpliceOp, a: Codes, b: Codes, y: Codes): void {
  for (let i = 0; i < y.length; ++i) y[i] = i % period < from ? a[i]! : b[i]!;
}
