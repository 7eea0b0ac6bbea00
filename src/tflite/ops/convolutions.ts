// SPDX-License-Identifier: Apache-2.0
import type { Pads, Pair } from '../../graph/graph.js';
import type { QuantConv, QuantValue, QuantWeight } from '../../graph/quant-graph.js';
import { samePadding, windowPositions } from '../../graph/window.js';
import type { TfliteOperator, TfliteTensor } from '../reader.js';
import { type ReadOperator, type TfliteState, codesOf, fusedClamp } from './state.js';

/** Numbers of the option fields that an operator has. */
interface WindowFields {
  readonly padding: number;
  readonly strideWidth: number;
  readonly strideHeight: number;
  readonly dilationWidth?: number;
  readonly dilationHeight?: number;
}

/** Window of a convolution or pool whose result must have the shape that the file states. */
export function readWindow(
  state: TfliteState,
  operator: TfliteOperator,
  fields: WindowFields,
  kernel: Pair,
  input: QuantValue,
  output: QuantValue,
) {
  const options = operator.options;
  const field = (number: number | undefined, fallback: number) =>
    number === undefined ? fallback : (options?.int32(number, fallback) ?? fallback);
  const strides = [field(fields.strideHeight, 0), field(fields.strideWidth, 0)] as const;
  const dilations = [field(fields.dilationHeight, 1), field(fields.dilationWidth, 1)] as const;
  const sizes = [...kernel, ...strides, ...dilations];
  if (input.shape.length !== 4 || output.shape.length !== 4 || sizes.some((n) => n < 1)) {
    state.fail(
      operator,
      'bad-window',
      `expected images and positive sizes, got kernel, strides and dilations ${sizes.join(', ')}`,
    );
    return;
  }
  const isSame = (options?.int8(fields.padding) ?? 0) === 0;
  const [rows, columns] = ([0, 1] as const).map((a) =>
    isSame ? samePadding(input.shape[a + 2]!, kernel[a], strides[a], dilations[a]) : [0, 0],
  ) as [readonly [number, number], readonly [number, number]];
  const pads: Pads = [rows[0], columns[0], rows[1], columns[1]];
  const fits = ([0, 1] as const).every(
    (a) =>
      windowPositions(
        input.shape[a + 2]!,
        kernel[a],
        strides[a],
        dilations[a],
        pads[a],
        pads[a + 2]!,
      ) === output.shape[a + 2],
  );
  if (!fits) {
    state.fail(
      operator,
      'bad-shape',
      `its window does not lead from [${input.shape.join(', ')}] to [${output.shape.join(', ')}] (NCHW)`,
    );
    return;
  }
  return { kernel, strides, dilations, pads };
}

/** The fused activation's clamp; undefined where it is none, which is reported. */
export function readClamp(
  state: TfliteState,
  operator: TfliteOperator,
  field: number,
): ReturnType<typeof fusedClamp> | undefined {
  const activation = operator.options?.int8(field) ?? 0;
  const clamp = fusedClamp(activation);
  if (clamp !== null) return clamp;
  state.fail(
    operator,
    'unsupported-activation',
    `expected a fused RELU, RELU6 or RELU_N1_TO_1, got activation ${activation}`,
  );
  return undefined;
}

/**
 * Reads weights.
 *
 * @param axis of the output channels in the file's layout
 * @param arrange file layout -> [O,I,KH,KW]: the source position of each element
 */
function readWeight(
  state: TfliteState,
  operator: TfliteOperator,
  axis: number,
  shape: readonly [number, number, number, number],
  source: (o: number, i: number, y: number, x: number) => number,
): QuantWeight | undefined {
  const tensor = state.constant(operator, 1);
  if (tensor === undefined) return undefined;
  const { type, quantization } = tensor;
  if (type !== 'u8' && type !== 's8' && type !== 's4') {
    state.fail(
      operator,
      'float-layer',
      `expected weights of type u8, s8 or s4, got ${type ?? 'another'} in "${tensor.name}"; convert with full integer quantization`,
    );
    return;
  }
  if (quantization === undefined) {
    state.fail(operator, 'missing-scale', `its weights "${tensor.name}" have no scale`);
    return;
  }
  const { scales } = quantization;
  const zeroPoints =
    quantization.zeroPoints.length === 0 ? scales.map(() => 0) : quantization.zeroPoints;
  const positive = scales.every((scale) => scale > 0 && scale < Infinity);
  if (!positive || zeroPoints.length !== scales.length || !inType(type, zeroPoints)) {
    state.fail(
      operator,
      'bad-quantization',
      `its weights "${tensor.name}" need positive scales and one zero point of type ${type} each`,
    );
    return;
  }
  if (scales.length > 1 && (quantization.axis !== axis || scales.length !== shape[0])) {
    state.fail(
      operator,
      'bad-quantization-axis',
      `expected ${shape[0]} scales along dimension ${axis} of its weights, got ${scales.length} along ${quantization.axis}`,
    );
    return;
  }
  const codes = rearrange(codesOf(tensor), shape, source);
  return {
    dtype: type === 'u8' ? 'u8' : 's8',
    bits: type === 's4' ? 4 : 8,
    shape,
    data: type === 'u8' ? Uint8Array.from(codes) : Int8Array.from(codes),
    scales: Float32Array.from(scales),
    zeroPoints: Int32Array.from(zeroPoints),
  };
}

function inType(type: 'u8' | 's8' | 's4', zeroPoints: readonly number[]): boolean {
  const [lo, hi] = { u8: [0, 255], s8: [-128, 127], s4: [-8, 7] }[type] as [number, number];
  return zeroPoints.every((z) => z >= lo && z <= hi);
}

function rearrange(
  codes: readonly number[],
  [outputs, inputs, height, width]: readonly [number, number, number, number],
  source: (o: number, i: number, y: number, x: number) => number,
): Int16Array {
  const result = new Int16Array(codes.length);
  let at = 0;
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) result[at++] = codes[source(o, i, y, x)]!;
      }
    }
  }
  return result;
}

/** What XNNPACK looks at: the dimension that uint8 weights name. */
function hasOddAxis(state: TfliteState, { inputs }: TfliteOperator): boolean {
  const { type, quantization } = state.tensor(inputs[1]!);
  return type === 'u8' && quantization?.axis !== 0;
}

/** quantized_bias_type in the options, which counts where there is no bias. */
const biasTypeField: ReadonlyMap<string, number> = new Map([
  ['CONV_2D', 6],
  ['FULLY_CONNECTED', 4],
]);
const int32Type = 2;

function sumsIn32Bits(state: TfliteState, operator: TfliteOperator): boolean {
  const { inputs, op, options } = operator;
  if (state.tensor(inputs[0]!).type !== 's16') return false;
  if (state.hasInput(operator, 2)) return state.tensor(inputs[2]!).type === 's32';
  const field = biasTypeField.get(op);
  return field !== undefined && options?.int8(field) === int32Type;
}

/** Null where something is wrong, which is reported. */
function readBias(
  state: TfliteState,
  operator: TfliteOperator,
  channels: number,
): Int32Array | undefined | null {
  if (sumsIn32Bits(state, operator)) {
    const detail =
      'it sums 16-bit codes in 32 bits, as TFLite does for 32-bit biases, which no profile does; convert with 64-bit biases';
    state.fail(operator, 'unsupported-bias', detail);
    return null;
  }
  if (!state.hasInput(operator, 2)) return undefined;
  const tensor = state.constant(operator, 2);
  if (tensor === undefined) return null;
  const codes = tensor.type === 's32' || tensor.type === 's64' ? codesOf(tensor) : [];
  // 16x8 files hold 64-bit biases; the graph's have 32.
  if (codes.length !== channels || codes.some((b) => b < -(2 ** 31) || b >= 2 ** 31)) {
    state.fail(
      operator,
      'unsupported-bias',
      `expected ${channels} bias values that fit 32 bits in "${tensor.name}"`,
    );
    return null;
  }
  return Int32Array.from(codes);
}

function shapeOf(state: TfliteState, operator: TfliteOperator): TfliteTensor | undefined {
  const index = operator.inputs[1] ?? -1;
  return index === -1 ? state.constant(operator, 1) : state.tensor(index);
}

/** Conv2DOptions: padding 0, stride w 1, h 2, activation 3, dilation w 4, h 5. */
export const conv2d: ReadOperator = (state, operator) => {
  const input = state.activation(operator, 0);
  const output = input && state.output(operator);
  const filter = output && shapeOf(state, operator);
  if (input === undefined || output === undefined || filter === undefined) return;
  const [outputs, height, width, inputs] = filter.shape as [number, number, number, number];
  const channels = input.shape[1]!;
  const isGood =
    filter.shape.length === 4 &&
    inputs > 0 &&
    channels % inputs === 0 &&
    outputs === output.shape[1];
  if (!isGood || outputs % (channels / inputs) !== 0) {
    badFilter(state, operator, filter);
    return;
  }
  const fields = {
    padding: 0,
    strideWidth: 1,
    strideHeight: 2,
    dilationWidth: 4,
    dilationHeight: 5,
  };
  const window = readWindow(state, operator, fields, [height, width], input, output);
  const clamp = window && readClamp(state, operator, 3);
  if (window === undefined || clamp === undefined) return;
  const weight = readWeight(
    state,
    operator,
    0,
    [outputs, inputs, height, width],
    (o, i, y, x) => ((o * height + y) * width + x) * inputs + i,
  );
  if (weight === undefined) return;
  finish(state, operator, input, output, weight, { ...window, ...clamp, group: channels / inputs });
};

/** As conv2d, with depth_multiplier at 3 and the activation at 4, dilation w 5, h 6. */
export const depthwiseConv2d: ReadOperator = (state, operator) => {
  const input = state.activation(operator, 0);
  const output = input && state.output(operator);
  const filter = output && shapeOf(state, operator);
  if (input === undefined || output === undefined || filter === undefined) return;
  const [one, height, width, outputs] = filter.shape as [number, number, number, number];
  const channels = input.shape[1]!;
  const isGood =
    filter.shape.length === 4 &&
    one === 1 &&
    outputs === output.shape[1] &&
    outputs > 0 &&
    outputs % channels === 0;
  if (!isGood) {
    badFilter(state, operator, filter);
    return;
  }
  const fields = {
    padding: 0,
    strideWidth: 1,
    strideHeight: 2,
    dilationWidth: 5,
    dilationHeight: 6,
  };
  const window = readWindow(state, operator, fields, [height, width], input, output);
  const clamp = window && readClamp(state, operator, 4);
  if (window === undefined || clamp === undefined) return;
  const weight = readWeight(
    state,
    operator,
    3,
    [outputs, 1, height, width],
    (o, _, y, x) => (y * width + x) * outputs + o,
  );
  if (weight === undefined) return;
  finish(state, operator, input, output, weight, { ...window, ...clamp, group: channels });
};

function badFilter(state: TfliteState, operator: TfliteOperator, filter: TfliteTensor): undefined {
  state.fail(
    operator,
    'bad-shape',
    `its weights [${filter.shape.join(', ')}] do not fit its input and output`,
  );
}

function finish(
  state: TfliteState,
  operator: TfliteOperator,
  input: QuantValue,
  output: QuantValue,
  weight: QuantWeight,
  rest: Omit<QuantConv, 'op' | 'name' | 'inputs' | 'output' | 'weight' | 'bias' | 'fullyConnected'>,
): void {
  const bias = readBias(state, operator, weight.shape[0]!);
  if (bias === null) return;
  const name = state.claimLayer(output.name);
  const isOneChannel = operator.op === 'DEPTHWISE_CONV_2D' && input.shape[1] === 1;
  state.addOutput(operator, output, {
    op: 'Conv',
    name,
    inputs: [input.name],
    output: output.name,
    weight,
    bias,
    fullyConnected: false,
    ...(hasOddAxis(state, operator) ? { oddWeightAxis: true } : {}),
    ...(isOneChannel ? { oneChannelDepthwise: true } : {}),
    ...rest,
  });
}

/** FullyConnectedOptions: activation 0, weights format 1. */
export const fullyConnected: ReadOperator = (state, operator) => {
  const input = state.activation(operator, 0);
  const output = input && state.output(operator);
  const filter = output && shapeOf(state, operator);
  if (input === undefined || output === undefined || filter === undefined) return;
  const [outputs, length] = filter.shape as [number, number];
  const size = input.shape.reduce((product, n) => product * n, 1);
  const outputSize = output.shape.reduce((product, n) => product * n, 1);
  const isGood = filter.shape.length === 2 && length === size && outputs === outputSize;
  if (!isGood || (operator.options?.int8(1) ?? 0) !== 0) {
    badFilter(state, operator, filter);
    return;
  }
  const clamp = readClamp(state, operator, 0);
  if (clamp === undefined) return;
  const order = elementOrder(state.flattenedImage(operator.inputs[0]!) ?? input.shape);
  const weight = readWeight(
    state,
    operator,
    0,
    [outputs, length, 1, 1],
    (o, i) => o * length + order(i),
  );
  const bias = weight && readBias(state, operator, outputs);
  if (weight === undefined || bias === null) return;
  const row = asRow(state, input, length);
  const name = state.claimLayer(output.name);
  const rowOutput =
    output.shape.length === 2
      ? output
      : { ...output, name: `${output.name}/row`, shape: [1, outputs] };
  const node: QuantConv = {
    op: 'Conv',
    name,
    inputs: [row],
    output: rowOutput.name,
    kernel: [1, 1],
    strides: [1, 1],
    pads: [0, 0, 0, 0],
    dilations: [1, 1],
    group: 1,
    weight,
    bias,
    ...clamp,
    fullyConnected: true,
    ...(hasOddAxis(state, operator) ? { oddWeightAxis: true } : {}),
  };
  if (rowOutput === output) {
    state.addOutput(operator, output, node);
    return;
  }
  state.addInner(rowOutput, node);
  state.addOutput(operator, output, {
    op: 'Reshape',
    name: state.claimLayer(`${output.name}/reshape`),
    inputs: [rowOutput.name],
    output: output.name,
  });
};

/** Fully connected layers read [1,K]. */
function asRow(state: TfliteState, input: QuantValue, length: number): string {
  if (input.shape.length === 2) return input.name;
  const row = { ...input, name: `${input.name}/row`, shape: [1, length] };
  if (!state.values.has(row.name)) {
    state.addInner(row, {
      op: 'Reshape',
      name: state.claimLayer(row.name),
      inputs: [input.name],
      output: row.name,
    });
  }
  return row.name;
}

/** NCHW position of an image's element -> its NHWC position; rows keep theirs. */
function elementOrder(shape: readonly number[]): (i: number) => number {
  if (shape.length !== 4) return (i) => i;
  const [, channels, height, width] = shape as [number, number, number, number];
  const area = height * width;
  return (i) => (i % area) * channels + Math.floor(i / area);
}
