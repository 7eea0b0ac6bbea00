// SPDX-License-Identifier: Apache-2.0
// program/NOTES.md, "averagePool" and "maxPool".
import { attribute } from '../onnx/file/builder.js';
import type { AverageForm, AveragePoolOp, MaxPoolOp } from '../program/program.js';
import { forEachPixel } from '../program/window.js';
import { larger } from './bounds.js';
import { roundFloats, storeFloats } from './floats.js';
import { type Integers, centred, ofCodes, settle } from './integers.js';
import { finish, storeClamped } from './requantize.js';
import { type CodesTensor, type Steps, rangeOf } from './steps.js';
import { windowSums } from './sums.js';

export function writeAveragePool(
  steps: Steps,
  op: AveragePoolOp,
  input: CodesTensor,
  output: CodesTensor,
): void {
  const { form } = op;
  switch (form.kind) {
    case 'divide': {
      const mean = dividedSums(steps, op, form.rule, input, output);
      storeClamped(steps, mean, op.clamp, output);
      return;
    }
    case 'requant': {
      const sums = codeSums(steps, op, input, input.zeroPoint);
      finish(steps, sums, form.requant, op.clamp, output);
      return;
    }
    case 'f32Window':
      writeFloatMean(steps, op, form, input, output);
  }
}

/** Of each channel: the sum of (code - zeroPoint) over the window. */
function codeSums(
  steps: Steps,
  op: AveragePoolOp,
  input: CodesTensor,
  zeroPoint: number,
): Integers {
  const { channels } = input;
  const values = new Int32Array(channels * op.kernel[0] * op.kernel[1]).fill(1);
  return windowSums(steps, op, input, zeroPoint, { values, channels, groups: channels });
}

/** Positions inside the image, of each window: [1, 1, OH, OW], or a scalar where all are equal. */
function counts(
  op: AveragePoolOp,
  input: CodesTensor,
  { height, width }: CodesTensor,
): { readonly values: readonly bigint[]; readonly shape: readonly number[] } {
  const image = { ...input, name: '', scale: 1 };
  const values = Array.from({ length: height * width }, (_, i) => {
    let inside = 0n;
    forEachPixel(op, image, Math.floor(i / width), i % width, () => ++inside);
    return inside;
  });
  const same = values.every((n) => n === values[0]);
  return same ? { values: [values[0]!], shape: [] } : { values, shape: [1, 1, height, width] };
}

function dividedSums(
  steps: Steps,
  op: AveragePoolOp,
  rule: Extract<AverageForm, { kind: 'divide' }>['rule'],
  input: CodesTensor,
  output: CodesTensor,
): Integers {
  const { values, shape } = counts(op, input, output);
  const constant = (numbers: readonly bigint[]): string =>
    steps.constant('s64', shape, BigInt64Array.from(numbers));
  const sums = settle(steps, codeSums(steps, op, input, 0));
  const half = values.map((n) => n / 2n);
  const [least, greatest] = rangeOf(input.dtype);
  const quotient = (dividend: string): string => steps.node('Div', [dividend, constant(values)]);
  const inRange = (tensor: string, offset: bigint): Integers => ({
    tensor,
    offset: [offset],
    bounds: [[least - 1n, greatest + 1n]],
  });
  switch (rule) {
    case 'trunc0':
      return inRange(quotient(sums), 0n);
    case 'halfAway': {
      const positive = steps.node('Greater', [sums, steps.vector([0n])]);
      const addend = steps.node('Where', [positive, constant(half), constant(half.map((h) => -h))]);
      return inRange(quotient(steps.node('Add', [sums, addend])), 0n);
    }
    case 'halfUp': {
      // ONNX truncates; whole multiples of n make the dividend a number that is not negative.
      const lift = larger(0n, -least);
      const addend = constant(values.map((n, i) => half[i]! + n * lift));
      return inRange(quotient(steps.node('Add', [sums, addend])), -lift);
    }
  }
}

/** Positions of a window that are worth an operator each. */
const mostPositions = 4096;

/** The sum goes position by position, because float32 sums depend on their order. */
function writeFloatMean(
  steps: Steps,
  op: AveragePoolOp,
  { scaleIn, scaleOut }: Extract<AverageForm, { kind: 'f32Window' }>,
  input: CodesTensor,
  output: CodesTensor,
): void {
  if (op.kernel[0] * op.kernel[1] > mostPositions) {
    steps.refuse(
      `its float32 mean of ${op.kernel.join(' x ')} positions needs an operator for each`,
    );
  }
  const total = positions(steps, op, scaledImage(steps, op, input, scaleIn), output).reduce(
    (a, b) => steps.node('Add', [a, b]),
  );
  const { values, shape } = counts(op, input, output);
  const number = steps.constant('f32', shape, Float32Array.from(values, Number));
  const mean = steps.node('Div', [total, number]);
  const quotient = steps.node('Div', [mean, steps.reals([scaleOut])]);
  const tensor = steps.node('Add', [quotient, steps.reals([output.zeroPoint])]);
  storeFloats(steps, roundFloats(steps, { tensor, type: 'f32' }, 'halfEven'), op.clamp, 0, output);
}

/** f32((x - z) * scale) with its padding of zeros, which add nothing to a sum. */
function scaledImage(
  steps: Steps,
  { pads: [top, left, bottom, right] }: AveragePoolOp,
  input: CodesTensor,
  scale: number,
): string {
  const distance = steps.cast(settle(steps, centred(steps, input)), 'f32');
  const scaled = steps.node('Mul', [distance, steps.reals([scale])]);
  if (top + left + bottom + right === 0) return scaled;
  const amounts = steps.list([0, 0, top, left, 0, 0, bottom, right]);
  return steps.node('Pad', [scaled, amounts, steps.reals([0])]);
}

/** For each position of the window, in row order, what it reads for every output. */
function positions(
  steps: Steps,
  { kernel, strides }: AveragePoolOp,
  image: string,
  { height, width }: CodesTensor,
): readonly string[] {
  return Array.from({ length: kernel[0] * kernel[1] }, (_, position) => {
    const starts = [Math.floor(position / kernel[1]), position % kernel[1]] as const;
    const ends = [
      starts[0] + (height - 1) * strides[0] + 1,
      starts[1] + (width - 1) * strides[1] + 1,
    ];
    const lists = [starts, ends, [2, 3], strides].map((list) => steps.list(list));
    return steps.node('Slice', [image, ...lists]);
  });
}

export function writeMaxPool(
  steps: Steps,
  op: MaxPoolOp,
  input: CodesTensor,
  output: CodesTensor,
): void {
  const window = {
    kernel_shape: attribute.ints(op.kernel),
    strides: attribute.ints(op.strides),
    pads: attribute.ints(op.pads),
  };
  // Runtimes pool bytes and floats; codes of 16 bits are exact in float32.
  const byte = input.dtype === 'u8' || input.dtype === 's8';
  const image = byte ? input.tensor : steps.cast(input.tensor, 'f32');
  const greatest = steps.node('MaxPool', [image], window);
  const codes = ofCodes(steps, { ...input, tensor: greatest });
  storeClamped(steps, codes, op.clamp, output);
}
