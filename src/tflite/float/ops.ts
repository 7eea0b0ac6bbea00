// SPDX-License-Identifier: Apache-2.0
// Operators of float .tflite files. Numbers of option fields: tensorflow/compiler/mlir/lite/schema/schema.fbs.
import { scalarClamp } from '../../graph/clamps.js';
import type { Clamp, Pads, Pair, Shape } from '../../graph/graph.js';
import { leakyNodes } from '../../graph/leaky.js';
import { selectChannels } from '../../graph/select-channels.js';
import { elementCount, f32Tensor, transposeTensor } from '../../graph/tensors.js';
import { samePadding } from '../../graph/window.js';
import type { TfliteOperator } from '../reader.js';
import { resizingOfOperator } from '../resizing.js';
import { activationOf, axisOf, type FloatNet, Unsupported } from './net.js';

type ReadFloat = (net: FloatNet, operator: TfliteOperator) => void;

/** Field numbers of a window: padding 0, stride w 1, h 2, and the dilations. */
function windowOf(
  { options }: TfliteOperator,
  image: Shape,
  kernel: Pair,
  dilationFields?: Pair,
): { kernel: Pair; strides: Pair; dilations: Pair; pads: Pads } {
  const strides: Pair = [options?.int32(2) ?? 0, options?.int32(1) ?? 0];
  const dilations: Pair =
    dilationFields === undefined
      ? [1, 1]
      : [options?.int32(dilationFields[0], 1) ?? 1, options?.int32(dilationFields[1], 1) ?? 1];
  const sizes = [...kernel, ...strides, ...dilations];
  if (sizes.some((size) => size < 1)) throw new Unsupported(`window sizes ${sizes.join(', ')}`);
  const isSame = (options?.int8(0) ?? 0) === 0;
  const [rows, columns] = ([0, 1] as const).map((axis) =>
    isSame
      ? samePadding(image[axis + 2]!, kernel[axis], strides[axis], dilations[axis])
      : ([0, 0] as const),
  ) as [Pair, Pair];
  return { kernel, strides, dilations, pads: [rows[0], columns[0], rows[1], columns[1]] };
}

/** Weights [O,KH,KW,I], or [1,KH,KW,O] where each channel has its own. */
function convolution(depthwise: boolean): ReadFloat {
  return (net, operator) => {
    const input = net.image(operator, 0);
    const stored = net.reals(operator, 1);
    if (stored.shape.length !== 4) throw new Unsupported(`weights [${stored.shape.join(', ')}]`);
    const weight = transposeTensor(stored, depthwise ? [3, 0, 1, 2] : [0, 3, 1, 2]);
    const { name } = net.tensor(operator.inputs[1]!);
    const channels = net.shape(input)[1]!;
    const kernel: Pair = [weight.shape[2]!, weight.shape[3]!];
    const bias = net.hasInput(operator, 2) ? net.input(operator, 2) : '';
    net.finishImage(
      operator,
      {
        op: 'Conv',
        inputs: [input, net.addConstant(`${name}/oihw`, weight), bias],
        ...windowOf(operator, net.shape(input), kernel, depthwise ? [6, 5] : [5, 4]),
        // CONV_2D has groups where its weights have fewer channels than the image.
        group: depthwise ? channels : channels / weight.shape[1]!,
      },
      activationOf(operator, depthwise ? 4 : 3),
    );
  };
}

/** FullyConnectedOptions: activation 0. Weights [O,K]; leading dimensions are joined. */
const fullyConnected: ReadFloat = (net, operator) => {
  const input = net.input(operator, 0);
  const weight = net.input(operator, 1);
  const [, depth] = net.shape(weight) as [number, number];
  const rows = elementCount(net.shape(input)) / depth;
  if (rows !== 1) throw new Unsupported(`${rows} rows of ${depth} values, expected one`);
  const output = net.outputName(operator);
  const flat = net.add(
    { op: 'Reshape', inputs: [input], shape: [1, depth] },
    net.fresh(`${output}/row`),
  );
  const bias = net.hasInput(operator, 2) ? net.input(operator, 2) : '';
  const scalars = { alpha: 1, beta: 1, transA: false, transB: true };
  net.finish(
    operator,
    { op: 'Gemm', inputs: [flat, weight, bias], ...scalars },
    activationOf(operator, 0),
  );
};

const elementwise =
  (op: 'Add' | 'Sub' | 'Mul' | 'Div'): ReadFloat =>
  (net, operator) => {
    const inputs = [net.input(operator, 0), net.input(operator, 1)];
    net.finish(operator, { op, inputs }, activationOf(operator, 0));
  };

/** Pool2DOptions: filter w 3, h 4, activation 5. */
const pool =
  (op: 'AveragePool' | 'MaxPool'): ReadFloat =>
  (net, operator) => {
    const input = net.image(operator, 0);
    const kernel: Pair = [operator.options?.int32(4) ?? 0, operator.options?.int32(3) ?? 0];
    const { dilations, ...window } = windowOf(operator, net.shape(input), kernel);
    const part =
      op === 'AveragePool'
        ? { ...window, op, inputs: [input], countIncludePad: false }
        : { ...window, op, inputs: [input], dilations };
    net.finishImage(operator, part, activationOf(operator, 5));
  };

/** ReducerOptions: keep_dims 0. */
const mean: ReadFloat = (net, operator) => {
  const input = net.input(operator, 0);
  const rank = net.shape(input).length;
  const axes = net.integers(operator, 1).map((axis) => axisOf(axis, rank));
  const keepDims = operator.options?.bool(0) ?? false;
  net.finish(
    operator,
    { op: 'ReduceMean', inputs: [input], axes: axes.sort((a, b) => a - b), keepDims },
    undefined,
  );
};

/** ReducerOptions: keep_dims 0. Over rows and columns, as a pool of the whole image. */
const reduceMax: ReadFloat = (net, operator) => {
  const axes = net.integers(operator, 1).map((axis) => axisOf(axis, 4));
  if (axes.sort().join() !== '1,2') throw new Unsupported(`a maximum over axes ${axes.join(', ')}`);
  const image = net.image(operator, 0);
  const [, channels, height, width] = net.shape(image) as [number, number, number, number];
  const window = { kernel: [height, width], strides: [1, 1], pads: [0, 0, 0, 0] } as const;
  const part = { op: 'MaxPool', inputs: [image], ...window, dilations: [1, 1] } as const;
  if (operator.options?.bool(0) ?? false) {
    net.finishImage(operator, part);
    return;
  }
  const pooled = net.add(part, net.fresh(`${net.outputName(operator)}/pooled`));
  const shape = [1, channels];
  net.finish(operator, { op: 'Reshape', inputs: [pooled], shape }, undefined);
};

/** ARG_MAX of the scores at the end is left out: they say it themselves. */
const argMax: ReadFloat = (net, operator) => {
  const input = net.input(operator, 0);
  const [index] = operator.outputs;
  if (index === undefined || !net.model.outputs.includes(index)) {
    throw new Unsupported('ARG_MAX before the end of the network');
  }
  net.standIn(index, input);
};

/** LeakyReluOptions: alpha 0; PRELU has its slopes as an input, one or one per channel. */
const leaky: ReadFloat = (net, operator) => {
  const input = net.input(operator, 0);
  const shape = net.shape(input);
  const stated = operator.op === 'PRELU' ? net.reals(operator, 1).data : undefined;
  const slopes = stated ?? [operator.options?.float32(0) ?? 0];
  const channels = shape.at(-1)!;
  if (slopes.length !== 1 && slopes.length !== channels) {
    throw new Unsupported(`${slopes.length} slopes for ${channels} channels`);
  }
  const sizes =
    slopes.length === 1 ? [1] : shape.map((_, i) => (i + 1 < shape.length ? 1 : channels));
  const output = net.outputName(operator);
  const nodes = leakyNodes({
    ...{ name: output, input, output, slope: f32Tensor(sizes, slopes) },
    addConstant: (wanted, tensor) => net.addConstant(wanted, tensor),
    fresh: (wanted) => net.fresh(wanted),
  });
  for (const node of nodes) net.add(node, node.outputs[0]!);
};

/** RESHAPE, SQUEEZE, EXPAND_DIMS: to the shape that the file states for the result. */
const reshape: ReadFloat = (net, operator) => {
  const input = net.input(operator, 0);
  const stated = net.tensor(operator.outputs[0]!).shape;
  const shape = stated.map((size, axis) => (axis === 0 && size < 1 ? 1 : size));
  net.finish(operator, { op: 'Reshape', inputs: [input], shape }, undefined);
};

const transpose: ReadFloat = (net, operator) => {
  const input = net.input(operator, 0);
  const perm = net.integers(operator, 1);
  net.finish(operator, { op: 'Transpose', inputs: [input], perm }, undefined);
};

/** PAD has [rank, 2] amounts; PADV2 a value besides. */
const pad: ReadFloat = (net, operator) => {
  const input = net.input(operator, 0);
  const amounts = net.integers(operator, 1);
  const rank = net.shape(input).length;
  if (amounts.length !== 2 * rank) throw new Unsupported(`${amounts.length} amounts of padding`);
  const side = (offset: number) => Array.from({ length: rank }, (_, i) => amounts[2 * i + offset]!);
  const value = operator.op === 'PADV2' ? net.reals(operator, 2).data[0]! : 0;
  net.finish(
    operator,
    { op: 'Pad', inputs: [input], begin: side(0), end: side(1), value },
    undefined,
  );
};

/** ConcatenationOptions: axis 0, activation 1. */
const concatenation: ReadFloat = (net, operator) => {
  const inputs = operator.inputs.map((_, i) => net.input(operator, i));
  const axis = axisOf(operator.options?.int32(0) ?? 0, net.shape(inputs[0]!).length);
  net.finish(operator, { op: 'Concat', inputs, axis }, activationOf(operator, 1));
};

/** SoftmaxOptions: beta 0. */
const softmax: ReadFloat = (net, operator) => {
  const input = net.input(operator, 0);
  const beta = operator.options?.float32(0) ?? 0;
  if (beta !== 1) throw new Unsupported(`a softmax with beta ${beta}`);
  const axis = net.shape(input).length - 1;
  net.finish(operator, { op: 'Softmax', inputs: [input], axis }, undefined);
};

const bounds =
  (clamp: Clamp): ReadFloat =>
  (net, operator) => {
    net.finish(operator, { op: 'Clamp', inputs: [net.input(operator, 0)], clamp }, undefined);
  };

const logistic: ReadFloat = (net, operator) => {
  net.finish(operator, { op: 'Sigmoid', inputs: [net.input(operator, 0)] }, undefined);
};

/** GeluOptions: approximate 0. */
const gelu: ReadFloat = (net, operator) => {
  const approximate = operator.options?.bool(0) ?? false;
  net.finish(operator, { op: 'Gelu', inputs: [net.input(operator, 0)], approximate }, undefined);
};

const hardSwish: ReadFloat = (net, operator) => {
  const inputs = [net.input(operator, 0)];
  net.finish(operator, { op: 'HardSwish', inputs, alpha: 1 / 6, beta: 0.5 }, undefined);
};

/** Constants in another type; of anything else there is none in a float network. */
const dequantize: ReadFloat = (net, operator) => {
  net.widen(operator);
};

/** Takes `count` positions from `first` on along an axis, into the output at a position. */
function take(
  net: FloatNet,
  operator: TfliteOperator,
  input: string,
  axis: number,
  [first, count, output]: readonly [first: number, count: number, output: string],
): void {
  const shape = net.shape(input);
  if (axis === 0) throw new Unsupported(`a part along axis 0 of [${shape.join(', ')}]`);
  const nodes = selectChannels({
    ...{ name: output, input, output, axis, shape },
    picked: Array.from({ length: count }, (_, i) => first + i),
    addConstant: (wanted, tensor) => net.addConstant(wanted, tensor),
    fresh: (wanted) => net.fresh(wanted),
  });
  for (const node of nodes) net.add(node, node.outputs[0]!);
}

/** SPLIT has axis and value, SPLIT_V value, sizes and axis. */
const split: ReadFloat = (net, operator) => {
  const isV = operator.op === 'SPLIT_V';
  const input = net.input(operator, isV ? 0 : 1);
  const shape = net.shape(input);
  const axis = axisOf(net.integers(operator, isV ? 2 : 0)[0] ?? 0, shape.length);
  const equal = shape[axis]! / operator.outputs.length;
  let first = 0;
  operator.outputs.forEach((index, i) => {
    const count = isV ? net.integers(operator, 1)[i]! : equal;
    if (!Number.isInteger(count) || count < 1) throw new Unsupported(`parts of ${count}`);
    take(net, operator, input, axis, [first, count, net.tensor(index).name]);
    first += count;
  });
};

const slice: ReadFloat = (net, operator) => {
  const input = net.input(operator, 0);
  const begin = net.integers(operator, 1);
  const sizes = net.integers(operator, 2);
  const shape = net.shape(input);
  const count = (axis: number) => (sizes[axis] === -1 ? shape[axis]! - begin[axis]! : sizes[axis]!);
  const cut = [...shape.keys()].filter((axis) => count(axis) !== shape[axis]);
  if (cut.length !== 1) throw new Unsupported(`a slice along ${cut.length} axes, expected one`);
  const [axis] = cut as [number];
  take(net, operator, input, axis, [begin[axis]!, count(axis), net.outputName(operator)]);
};

/** The new height and width are an input. */
const resize: ReadFloat = (net, operator) => {
  const image = net.image(operator, 0);
  const [, , height, width] = net.shape(image) as [number, number, number, number];
  const [rows = 0, columns = 0] = net.integers(operator, 1);
  const how = resizingOfOperator(operator, [height, width], [rows, columns]);
  if (typeof how === 'string') throw new Unsupported(how);
  net.finishImage(operator, { op: 'Resize', inputs: [image], ...how });
};

/** By builtin name. */
export const floatOperators: ReadonlyMap<string, ReadFloat> = new Map([
  ['CONV_2D', convolution(false)],
  ['DEPTHWISE_CONV_2D', convolution(true)],
  ['FULLY_CONNECTED', fullyConnected],
  ['ADD', elementwise('Add')],
  ['SUB', elementwise('Sub')],
  ['MUL', elementwise('Mul')],
  ['DIV', elementwise('Div')],
  ['AVERAGE_POOL_2D', pool('AveragePool')],
  ['MAX_POOL_2D', pool('MaxPool')],
  ['MEAN', mean],
  ['REDUCE_MAX', reduceMax],
  ['ARG_MAX', argMax],
  ['RESHAPE', reshape],
  ['SQUEEZE', reshape],
  ['EXPAND_DIMS', reshape],
  ['RESIZE_BILINEAR', resize],
  ['RESIZE_NEAREST_NEIGHBOR', resize],
  ['TRANSPOSE', transpose],
  ['SPLIT', split],
  ['SPLIT_V', split],
  ['SLICE', slice],
  ['SOFTMAX', softmax],
  ['PAD', pad],
  ['PADV2', pad],
  ['CONCATENATION', concatenation],
  ['DEQUANTIZE', dequantize],
  ['HARD_SWISH', hardSwish],
  ['LOGISTIC', logistic],
  ['GELU', gelu],
  ['LEAKY_RELU', leaky],
  ['PRELU', leaky],
  ['RELU', bounds(scalarClamp(0, Infinity))],
  ['RELU6', bounds(scalarClamp(0, 6))],
  ['RELU_N1_TO_1', bounds(scalarClamp(-1, 1))],
  ['RELU_0_TO_1', bounds(scalarClamp(0, 1))],
]);
