// SPDX-License-Identifier: Apache-2.0
// Shapes of results that a .tflite file leaves out. TFLite computes them when it allocates tensors, so
// that files run without; here each follows from what its operator reads (NHWC, as stored).
import { samePadding, windowPositions } from '../graph/window.js';
import { codesOf } from './ops/state.js';
import type { TfliteModel, TfliteOperator, TfliteTensor } from './reader.js';

type Shape = readonly number[];

/** What a rule sees of an operator. */
interface Seen {
  readonly operator: TfliteOperator;
  /** Shapes of its inputs; empty where one is absent. */
  readonly shapes: readonly Shape[];
  /** The integers of a constant input; undefined where it is none. */
  readonly constant: (position: number) => readonly number[] | undefined;
}

type Rule = (seen: Seen) => Shape | undefined;

/**
 * The model with the shapes of results that have none, as far as they are simple: of layers, pools and
 * operators that keep or join shapes. Others stay as they are, for their operator to refuse.
 */
export function inferShapes(model: TfliteModel): TfliteModel {
  const tensors: TfliteTensor[] = [...model.tensors];
  for (const operator of model.operators) {
    const [output] = operator.outputs;
    const rule = rules.get(operator.op);
    if (output === undefined || operator.outputs.length !== 1 || rule === undefined) continue;
    const tensor = tensors[output]!;
    if (tensor.shape.length > 0 || tensor.data !== undefined) continue;
    const shape = rule({
      operator,
      shapes: operator.inputs.map((index) => (index === -1 ? [] : tensors[index]!.shape)),
      constant: (position) => {
        const input = tensors[operator.inputs[position] ?? -1];
        return input?.data === undefined ? undefined : codesOf(input);
      },
    });
    if (shape?.every((size) => Number.isInteger(size) && size > 0)) {
      tensors[output] = { ...tensor, shape };
    }
  }
  return { ...model, tensors };
}

const same: Rule = ({ shapes }) => shapes[0];

/** Numbers of the option fields: padding 0, stride w 1, h 2, and the dilations. */
function slide(
  { options }: TfliteOperator,
  input: Shape | undefined,
  kernel: readonly [number, number],
  channels: number,
  dilationFields: readonly [height: number, width: number] | undefined,
): Shape | undefined {
  if (input?.length !== 4) return undefined;
  const isSame = (options?.int8(0) ?? 0) === 0;
  const sides = ([0, 1] as const).map((axis) => {
    const stride = options?.int32(axis === 0 ? 2 : 1) ?? 0;
    const dilation =
      dilationFields === undefined ? 1 : (options?.int32(dilationFields[axis], 1) ?? 1);
    const size = input[axis + 1]!;
    if (stride < 1) return 0;
    const [before, after] = isSame
      ? samePadding(size, kernel[axis], stride, dilation)
      : ([0, 0] as const);
    return windowPositions(size, kernel[axis], stride, dilation, before, after);
  });
  return [1, ...sides, channels];
}

const conv: Rule = ({ operator, shapes: [input, filter] }) => {
  if (filter?.length !== 4) return undefined;
  const [outputs, height, width] = filter as [number, number, number];
  return slide(operator, input, [height, width], outputs, [5, 4]);
};

const depthwise: Rule = ({ operator, shapes: [input, filter] }) => {
  if (filter?.length !== 4) return undefined;
  const [, height, width, outputs] = filter as [number, number, number, number];
  return slide(operator, input, [height, width], outputs, [6, 5]);
};

/** Filter w 3, h 4. */
const pool: Rule = ({ operator, shapes: [input] }) => {
  const { options } = operator;
  const kernel = [options?.int32(4) ?? 0, options?.int32(3) ?? 0] as const;
  return slide(operator, input, kernel, input?.at(-1) ?? 0, undefined);
};

/** keep_num_dims 2. */
const fullyConnected: Rule = ({ operator, shapes: [input, filter] }) => {
  if (input === undefined || filter?.length !== 2) return undefined;
  const keeps = operator.options?.bool(2) ?? false;
  return [...(keeps ? input.slice(0, -1) : [1]), filter[0]!];
};

/** Broadcast: sizes of 1 give way, absent ones in front as well. */
const broadcast: Rule = ({ shapes: [a, b] }) => {
  if (a === undefined || b === undefined) return undefined;
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) =>
    Math.max(a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1),
  );
};

/** The new shape is an input or the option 0; one size may be -1. */
const reshape: Rule = ({ operator, shapes: [input], constant }) => {
  const stated = operator.options?.int32s(0) ?? [];
  const wanted = constant(1) ?? (stated.length > 0 ? stated : undefined);
  if (input === undefined || input.length === 0) return undefined;
  const size = (shape: Shape) => shape.reduce((product, n) => product * n, 1);
  const known = wanted?.filter((n) => n !== -1);
  return wanted?.map((n) => (n === -1 ? size(input) / size(known!) : n));
};

/** keep_dims 0. */
const mean: Rule = ({ operator, shapes: [input], constant }) => {
  const axes = constant(1)?.map((axis) => (axis < 0 ? axis + (input?.length ?? 0) : axis));
  if (input === undefined || axes === undefined) return undefined;
  const keeps = operator.options?.bool(0) ?? false;
  return keeps
    ? input.map((size, axis) => (axes.includes(axis) ? 1 : size))
    : input.filter((_, axis) => !axes.includes(axis));
};

const pad: Rule = ({ shapes: [input], constant }) => {
  const amounts = constant(1);
  if (input === undefined || amounts?.length !== 2 * input.length) return undefined;
  return input.map((size, axis) => size + amounts[2 * axis]! + amounts[2 * axis + 1]!);
};

/** Axis 0. */
const concatenation: Rule = ({ operator, shapes }) => {
  const [first] = shapes;
  const axis = operator.options?.int32(0) ?? 0;
  const at = axis < 0 ? axis + (first?.length ?? 0) : axis;
  return first?.map((size, i) =>
    i === at ? shapes.reduce((sum, shape) => sum + (shape[i] ?? NaN), 0) : size,
  );
};

const resize: Rule = ({ shapes: [input], constant }) => {
  const size = constant(1);
  return input?.length === 4 && size?.length === 2 ? [input[0]!, ...size, input[3]!] : undefined;
};

const rules: ReadonlyMap<string, Rule> = new Map([
  ['CONV_2D', conv],
  ['DEPTHWISE_CONV_2D', depthwise],
  ['FULLY_CONNECTED', fullyConnected],
  ['AVERAGE_POOL_2D', pool],
  ['MAX_POOL_2D', pool],
  ['ADD', broadcast],
  ['SUB', broadcast],
  ['MUL', broadcast],
  ['RESHAPE', reshape],
  ['MEAN', mean],
  ['PAD', pad],
  ['RESIZE_BILINEAR', resize],
  ['RESIZE_NEAREST_NEIGHBOR', resize],
  ['CONCATENATION', concatenation],
  ['QUANTIZE', same],
  ['DEQUANTIZE', same],
  ['SOFTMAX', same],
  ['HARD_SWISH', same],
  ['LOGISTIC', same],
  ['RELU', same],
  ['RELU6', same],
  ['RELU_N1_TO_1', same],
  ['RELU_0_TO_1', same],
]);
