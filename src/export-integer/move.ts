// SPDX-License-Identifier: Apache-2.0
// program/NOTES.md, "concat", "pad", "reshape", "lut" and "splice". The program's order of codes is
// NHWC, the file's NCHW.
import { codeLimits, codeArrays } from '../numeric/code-types.js';
import { attribute } from '../onnx/file/builder.js';
import type { LutOp, PadOp, SpliceOp } from '../program/program.js';
import type { CodesTensor, Steps } from './steps.js';

export function writeConcat(
  steps: Steps,
  inputs: readonly CodesTensor[],
  output: CodesTensor,
): void {
  const tensors = inputs.map(({ tensor }) => tensor);
  steps.node('Concat', tensors, { axis: attribute.int(1) }, output.tensor);
}

/** Of int32, which every runtime pads. */
export function writePad(steps: Steps, op: PadOp, input: CodesTensor, output: CodesTensor): void {
  const [top, left, bottom, right] = op.pads;
  const amounts = steps.list([0, 0, top, left, 0, 0, bottom, right]);
  const border = steps.constant('s32', [], Int32Array.of(output.zeroPoint));
  const padded = steps.node('Pad', [steps.cast(input.tensor, 's32'), amounts, border]);
  steps.cast(padded, output.dtype, output.tensor);
}

/** The same codes in NHWC order. */
export function writeReshape(steps: Steps, input: CodesTensor, output: CodesTensor): void {
  const { height, width, channels } = output;
  const rows = isRow(input)
    ? input.tensor
    : steps.node('Transpose', [input.tensor], { perm: attribute.ints([0, 2, 3, 1]) });
  if (isRow(output)) {
    steps.node('Reshape', [rows, steps.list([1, channels, 1, 1])], {}, output.tensor);
    return;
  }
  const shaped = steps.node('Reshape', [rows, steps.list([1, height, width, channels])]);
  steps.node('Transpose', [shaped], { perm: attribute.ints([0, 3, 1, 2]) }, output.tensor);
}

/** Whether both orders are one. */
const isRow = ({ height, width }: CodesTensor): boolean => height * width === 1;

export function writeLut(
  steps: Steps,
  { table }: LutOp,
  input: CodesTensor,
  output: CodesTensor,
): void {
  const least = steps.constant('s32', [], Int32Array.of(-codeLimits(input.dtype)[0]));
  const index = steps.node('Add', [steps.cast(input.tensor, 's32'), least]);
  const stored = steps.constant(output.dtype, [table.length], codesOf(table, output));
  steps.node('Gather', [stored, index], {}, output.tensor);
}

function codesOf(
  values: ArrayLike<number>,
  { dtype }: CodesTensor,
): Uint8Array | Int8Array | Int16Array | Int32Array {
  return codeArrays[dtype].from(values);
}

/** By a mask; one pixel of it is enough where pixels hold whole periods. */
export function writeSplice(
  steps: Steps,
  { period, from }: SpliceOp,
  [a, b]: readonly [CodesTensor, CodesTensor],
  output: CodesTensor,
): void {
  const { channels } = output;
  const [height, width] = channels % period === 0 ? [1, 1] : [output.height, output.width];
  const second = new Uint8Array(channels * height * width);
  for (let i = 0; i < second.length; ++i) {
    const [pixel, channel] = [Math.floor(i / channels), i % channels];
    second[channel * height * width + pixel] = i % period >= from ? 1 : 0;
  }
  const mask = steps.constant('bool', [1, channels, height, width], second);
  const wide = [b, a].map(({ tensor }) => steps.cast(tensor, 's32'));
  steps.cast(steps.node('Where', [mask, ...wide]), output.dtype, output.tensor);
}
