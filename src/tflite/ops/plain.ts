// SPDX-License-Identifier: Apache-2.0
// Everything but convolutions.
import type { Clamp, Pads } from '../../graph/graph.js';
import type { QuantUnary, QuantValue } from '../../graph/quant-graph.js';
import { pointwise } from '../../graph/quant-select.js';
import { sameQuantization } from '../../graph/quant-types.js';
import type { TfliteOperator } from '../reader.js';
import { readClamp, readWindow } from './convolutions.js';
import { type ReadOperator, type TfliteState, codesOf } from './state.js';

/**
 * Activation field 0 in AddOptions, MulOptions and SubOptions.
 *
 * @param negate whether the second operand is subtracted
 */
function elementwise(op: 'Add' | 'Mul', negate = false): ReadOperator {
  return (state, operator) => {
    const operands = readOperands(state, operator, negate);
    const output = operands && state.output(operator);
    const clamp = output && readClamp(state, operator, 0);
    if (operands === undefined || output === undefined || clamp === undefined) return;
    const [a, b] = operands;
    const unsupported = op === 'Add' ? wideAddition(operator, [a, b, output], negate) : undefined;
    if (unsupported !== undefined) {
      state.fail(operator, 'unsupported-addition', unsupported);
      return;
    }
    const isVector = (vector: QuantValue) =>
      op === 'Mul' && vector.shape.join() === [1, output.shape[1], 1, 1].join();
    const sameAs = (value: QuantValue) => value.shape.join() === output.shape.join();
    const inputs = sameAs(a) ? [a, b] : [b, a];
    if (!sameAs(inputs[0]!) || !(sameAs(inputs[1]!) || isVector(inputs[1]!))) {
      state.fail(
        operator,
        'unsupported-shape',
        `expected operands of one shape, got [${a.shape.join(', ')}] and [${b.shape.join(', ')}]`,
      );
      return;
    }
    state.addOutput(operator, output, {
      op,
      name: state.claimLayer(output.name),
      inputs: inputs.map((input) => input.name),
      output: output.name,
      ...clamp,
    });
  };
}

/**
 * What is wrong with a sum of 16-bit codes. AddOptions has pot_scale_int16 at field 1, which is true
 * by default: LiteRT then shifts and saturates where all scales are powers of two.
 */
function wideAddition(
  { options }: TfliteOperator,
  values: readonly QuantValue[],
  negate: boolean,
): string | undefined {
  if (values.some(({ dtype }) => dtype !== 's16')) return;
  if (negate) return 'it subtracts 16-bit codes, for which there is no exact form; use ADD';
  const powers = values.every(({ scale }) => Number.isInteger(Math.log2(scale)));
  return powers && (options?.int8(1, 1) ?? 1) !== 0
    ? 'it adds 16-bit codes by shifts (pot_scale_int16); set pot_scale_int16 to false'
    : undefined;
}

function readOperands(
  state: TfliteState,
  operator: TfliteOperator,
  negate: boolean,
): readonly [QuantValue, QuantValue] | undefined {
  const isConstant = (i: number) => {
    const index = operator.inputs[i] ?? -1;
    return index !== -1 && state.tensor(index).data !== undefined;
  };
  if (isConstant(0)) {
    const b = state.operand(operator, 1, undefined);
    const a = b && state.operand(operator, 0, b);
    return a && [a, negate ? negated(state, operator, b) : b];
  }
  const a = state.operand(operator, 0, undefined);
  const b = a && state.operand(operator, 1, a, negate);
  return b && [a, negate && !isConstant(1) ? negated(state, operator, b) : b];
}

/** Minus an activation, exactly: weights of -1, and the zero point mirrored within the type. */
function negated(state: TfliteState, operator: TfliteOperator, value: QuantValue): QuantValue {
  const { dtype, zeroPoint } = value;
  const isRow = value.shape.length !== 4;
  const label = `${state.tensor(operator.outputs[0]!).name}/negated`;
  const image = isRow ? state.reshaped(value, `${label}/operand`) : value;
  const channels = image.shape[1]!;
  const mirrored = dtype === 'u8' ? 255 - zeroPoint : dtype === 's8' ? -1 - zeroPoint : -zeroPoint;
  const result = { ...image, name: label, zeroPoint: mirrored };
  const layer = pointwise(
    state.claimLayer(label),
    image,
    label,
    { outputs: channels, group: channels },
    () => -1,
  );
  state.addInner(result, layer);
  if (!isRow) return result;
  const row = { ...result, name: `${label}/row`, shape: value.shape };
  state.addInner(row, {
    op: 'Reshape',
    name: state.claimLayer(row.name),
    inputs: [label],
    output: row.name,
  });
  return row;
}

export const add = elementwise('Add');
export const sub = elementwise('Add', true);
export const mul = elementwise('Mul');

/** Pool2DOptions: padding 0, stride w 1, h 2, filter w 3, h 4, activation 5. */
function pool(op: 'AveragePool' | 'MaxPool'): ReadOperator {
  return (state, operator) => {
    const input = state.activation(operator, 0);
    const output = input && state.output(operator);
    if (input === undefined || output === undefined) return;
    const kernel = [operator.options?.int32(4) ?? 0, operator.options?.int32(3) ?? 0] as const;
    const fields = { padding: 0, strideWidth: 1, strideHeight: 2 };
    const window = readWindow(state, operator, fields, kernel, input, output);
    const clamp = window && readClamp(state, operator, 5);
    if (window === undefined || clamp === undefined) return;
    if (input.shape[1] !== output.shape[1]) {
      badShapes(state, operator, input, output);
      return;
    }
    if (!requireSameCodes(state, operator, input, output)) return;
    const { strides, pads } = window;
    state.addOutput(operator, output, {
      op,
      name: state.claimLayer(output.name),
      inputs: [input.name],
      output: output.name,
      kernel,
      strides,
      pads,
      countIncludePad: false,
      ...clamp,
    });
  };
}

export const averagePool = pool('AveragePool');
export const maxPool = pool('MaxPool');

/** TFLite's pools and shape operators never rescale. */
export function requireSameCodes(
  state: TfliteState,
  operator: TfliteOperator,
  input: QuantValue,
  output: QuantValue,
): boolean {
  if (sameQuantization(input, output)) return true;
  state.fail(
    operator,
    'conflicting-quantization',
    `expected one scale and zero point on both sides, got ${input.scale}, ${input.zeroPoint} and ${output.scale}, ${output.zeroPoint}`,
  );
  return false;
}

export function badShapes(
  state: TfliteState,
  operator: TfliteOperator,
  input: QuantValue,
  output: QuantValue,
): undefined {
  state.fail(
    operator,
    'unsupported-shape',
    `cannot lead from [${input.shape.join(', ')}] to [${output.shape.join(', ')}] (NCHW)`,
  );
}

/** Axes of an operator over the image's rows and columns alone; undefined for others, which is reported. */
function spatialReduction(
  state: TfliteState,
  operator: TfliteOperator,
  what: string,
): { readonly input: QuantValue; readonly output: QuantValue } | undefined {
  const input = state.activation(operator, 0);
  const axes = input && state.constant(operator, 1);
  const output = axes && state.output(operator);
  if (input === undefined || axes === undefined || output === undefined) return undefined;
  const sorted = codesOf(axes)
    .map((axis) => (axis < 0 ? axis + 4 : axis))
    .sort((a, b) => a - b);
  const channels = input.shape[1]!;
  const isGood =
    input.shape.length === 4 && sorted.join() === '1,2' && output.shape[1] === channels;
  if (isGood) return { input, output };
  const detail = `expected ${what} over height and width (axes 1, 2 of NHWC), got axes ${sorted.join(', ')}`;
  state.fail(operator, 'unsupported-axis', detail);
  return undefined;
}

/** The mean over height and width, of any scales. */
export const mean: ReadOperator = (state, operator) => {
  const found = spatialReduction(state, operator, 'a mean');
  if (found === undefined) return;
  const { input, output } = found;
  const name = state.claimLayer(output.name);
  if (output.shape.length === 4) {
    state.addOutput(operator, output, {
      op: 'GlobalAveragePool',
      name,
      inputs: [input.name],
      output: output.name,
    });
    return;
  }
  const image = { ...output, name: `${output.name}/image`, shape: [1, input.shape[1]!, 1, 1] };
  state.addInner(image, {
    op: 'GlobalAveragePool',
    name,
    inputs: [input.name],
    output: image.name,
    rowMean: true,
  });
  addReshape(state, operator, image, output);
};

/** REDUCE_MAX over height and width, as a pool of the whole image. */
export const reduceMax: ReadOperator = (state, operator) => {
  const found = spatialReduction(state, operator, 'a maximum');
  if (found === undefined) return;
  const { input, output } = found;
  if (!requireSameCodes(state, operator, input, output)) return;
  const [, channels, height, width] = input.shape as [number, number, number, number];
  const pool = {
    op: 'MaxPool',
    name: state.claimLayer(output.name),
    inputs: [input.name],
    kernel: [height, width],
    strides: [1, 1],
    pads: [0, 0, 0, 0],
    countIncludePad: false,
  } as const;
  if (output.shape.length === 4) {
    state.addOutput(operator, output, { ...pool, output: output.name });
    return;
  }
  const image = { ...output, name: `${output.name}/image`, shape: [1, channels, 1, 1] };
  state.addInner(image, { ...pool, output: image.name });
  addReshape(state, operator, image, output);
};

/** ARG_MAX of the scores at the end of a network is left out: they say it themselves. */
export const argMax: ReadOperator = (state, operator) => {
  const [index] = operator.outputs;
  const isLast = index !== undefined && state.model.outputs.includes(index);
  if (!isLast) {
    state.fail(operator, 'unsupported-op', 'expected it at the end of the network');
    return;
  }
  if (leaveOutTail(state, operator)) return;
  const input = state.activation(operator, 0);
  if (input === undefined) return;
  state.note(`${state.describe(operator)} is left out: the output is the scores "${input.name}"`);
  state.dequantize(index, input.name);
};

function addReshape(
  state: TfliteState,
  operator: TfliteOperator,
  input: QuantValue,
  output: QuantValue,
): void {
  state.addOutput(operator, output, {
    op: 'Reshape',
    name: state.claimLayer(output.name),
    inputs: [input.name],
    output: output.name,
  });
}

/** RESHAPE, SQUEEZE, EXPAND_DIMS: the file states the new shape at the output tensor. */
export const reshape: ReadOperator = (state, operator) => {
  const from = operator.inputs[0] ?? -1;
  const held = from === -1 ? undefined : state.dequantizedValue(from);
  if (held !== undefined) {
    state.dequantize(operator.outputs[0]!, held);
    return;
  }
  const input = state.activation(operator, 0);
  const output = input && state.output(operator);
  if (input === undefined || output === undefined) return;
  const size = (value: QuantValue) => value.shape.reduce((product, n) => product * n, 1);
  if (size(input) !== size(output)) {
    badShapes(state, operator, input, output);
    return;
  }
  if (!requireSameCodes(state, operator, input, output)) return;
  const same = input.shape.join() === output.shape.join();
  if (!same && !(isRowLike(input) && isRowLike(output))) {
    // NHWC and NCHW flatten an image in different orders; only a fully connected layer can tell.
    if (output.shape.length !== 2) {
      badShapes(state, operator, input, output);
      return;
    }
    state.flatten(operator.outputs[0]!, input.shape);
  }
  addReshape(state, operator, input, output);
};

/** Whether NCHW and NHWC order are the same. */
function isRowLike({ shape }: QuantValue): boolean {
  return shape.length === 2 || shape[1] === 1 || shape[2]! * shape[3]! < 2;
}

/** SoftmaxOptions: beta 0. Along the last dimension, which is the channels'. */
export const softmax: ReadOperator = (state, operator) => {
  if (leaveOutTail(state, operator)) return;
  const input = state.activation(operator, 0);
  const output = input && state.output(operator);
  if (input === undefined || output === undefined) return;
  if (input.shape.join() !== output.shape.join()) {
    badShapes(state, operator, input, output);
    return;
  }
  state.addOutput(operator, output, {
    op: 'Softmax',
    name: state.claimLayer(output.name),
    inputs: [input.name],
    output: output.name,
    beta: operator.options?.float32(0) ?? 0,
  });
};

/** A float operator after the last DEQUANTIZE is left out, with a note. */
function leaveOutTail(state: TfliteState, operator: TfliteOperator): boolean {
  const held = state.dequantizedValue(operator.inputs[0] ?? -1);
  if (held === undefined) return false;
  state.noteTail(state.describe(operator), held);
  state.dequantize(operator.outputs[0]!, held);
  return true;
}

export const pad: ReadOperator = (state, operator) => {
  const input = state.activation(operator, 0);
  const paddings = input && state.constant(operator, 1);
  const output = paddings && state.output(operator);
  if (input === undefined || paddings === undefined || output === undefined) return;
  const amounts = codesOf(paddings);
  // PADV2 states the code of its border.
  const fill = operator.op === 'PADV2' ? state.constant(operator, 2) : undefined;
  if (operator.op === 'PADV2' && fill === undefined) return;
  const plain =
    (fill === undefined || codesOf(fill)[0] === input.zeroPoint) &&
    input.shape.length === 4 &&
    amounts.length === 8 &&
    amounts.every((n) => n >= 0) &&
    [0, 1, 6, 7].every((i) => amounts[i] === 0);
  if (!plain) {
    state.fail(
      operator,
      'unsupported-padding',
      `expected zeros around height and width, got ${amounts.join(', ')}`,
    );
    return;
  }
  const pads: Pads = [amounts[2]!, amounts[4]!, amounts[3]!, amounts[5]!];
  const [, channels, height, width] = input.shape as [number, number, number, number];
  const expected = [1, channels, height + pads[0] + pads[2], width + pads[1] + pads[3]];
  if (output.shape.join() !== expected.join()) {
    badShapes(state, operator, input, output);
    return;
  }
  if (!requireSameCodes(state, operator, input, output)) return;
  const name = state.claimLayer(output.name);
  state.addOutput(operator, output, {
    op: 'Pad',
    name,
    inputs: [input.name],
    output: output.name,
    pads,
  });
};

/** ConcatenationOptions: axis 0, activation 1. */
export const concatenation: ReadOperator = (state, operator) => {
  const inputs = operator.inputs.map((_, i) => state.activation(operator, i));
  const output = inputs.every((input) => input !== undefined) ? state.output(operator) : undefined;
  const clamp = output && readClamp(state, operator, 1);
  if (output === undefined || clamp === undefined) return;
  const known = inputs.filter((input) => input !== undefined);
  const rank = output.shape.length;
  const axis = operator.options?.int32(0) ?? 0;
  const alongChannels = (axis < 0 ? axis + rank : axis) === rank - 1;
  const channels = known.reduce((sum, { shape }) => sum + shape[1]!, 0);
  const agrees = known.every(({ shape }) =>
    output.shape.every((size, i) => (i === 1 ? channels === size : shape[i] === size)),
  );
  if (!alongChannels || !agrees || clamp?.clamp !== undefined) {
    state.fail(
      operator,
      'unsupported-shape',
      `expected images joined along channels without activation, got axis ${axis} (NHWC)`,
    );
    return;
  }
  state.addOutput(operator, output, {
    op: 'Concat',
    name: state.claimLayer(output.name),
    inputs: known.map((input) => input.name),
    output: output.name,
  });
};

/** What a function of one value reads from its options. */
type Parameters = (options: TfliteOperator['options']) => Pick<QuantUnary, 'alpha' | 'approximate'>;

function unary(op: QuantUnary['op'], clamp?: Clamp, parameters?: Parameters): ReadOperator {
  return (state, operator) => {
    if (op === 'Sigmoid' && leaveOutTail(state, operator)) return;
    const input = state.activation(operator, 0);
    const output = input && state.output(operator);
    if (input === undefined || output === undefined) return;
    if (input.shape.join() !== output.shape.join()) {
      badShapes(state, operator, input, output);
      return;
    }
    state.addOutput(operator, output, {
      op,
      name: state.claimLayer(output.name),
      inputs: [input.name],
      output: output.name,
      ...(clamp === undefined ? {} : { clamp }),
      ...parameters?.(operator.options),
    });
  };
}

function between(lo: number, hi: number): Clamp {
  return { lo: Float32Array.of(lo), hi: Float32Array.of(hi) };
}

export const hardSwish = unary('HardSwish');
export const logistic = unary('Sigmoid');
/** LeakyReluOptions: alpha 0. */
export const leakyRelu = unary('LeakyRelu', undefined, (options) => ({
  alpha: options?.float32(0) ?? 0,
}));
/** GeluOptions: approximate 0. */
export const gelu = unary('Gelu', undefined, (options) =>
  (options?.bool(0) ?? false) ? { approximate: true } : {},
);
export const relu = unary('Requantize', between(0, Infinity));
export const relu6 = unary('Requantize', between(0, 6));
export const reluN1To1 = unary('Requantize', between(-1, 1));
export const relu0To1 = unary('Requantize', between(0, 1));

const requantize = unary('Requantize');

/** The float input's QUANTIZE is where the integer network begins; others change the scale. */
export const quantize: ReadOperator = (state, operator) => {
  const [index] = operator.inputs;
  if (index === undefined || !state.isRealInput(index)) {
    requantize(state, operator);
    return;
  }
  if (state.input !== undefined) {
    state.fail(operator, 'unsupported-inputs', 'the input is quantized in two ways');
    return;
  }
  const output = operator.outputs[0];
  if (output !== undefined) state.makeInput(output);
};

/**
 * From NCHW at the network's input, which is left out: quantized graphs are NCHW and programs NHWC
 * by themselves. Elsewhere only where it moves no element.
 */
export const transpose: ReadOperator = (state, operator) => {
  const [index = -1] = operator.inputs;
  const order = state.constant(operator, 1);
  if (order === undefined || index === -1) return;
  const axes = codesOf(order);
  const toChannelsLast = axes.join() === '0,2,3,1';
  if (toChannelsLast && state.isRealInput(index)) {
    state.realInput = operator.outputs[0];
    return;
  }
  if (toChannelsLast && state.replaceInput(operator)) return;
  const { shape } = state.tensor(index);
  const long = axes.filter((axis) => shape[axis] !== 1);
  if (long.every((axis, i) => i === 0 || axis > long[i - 1]!)) {
    reshape(state, operator);
    return;
  }
  state.fail(
    operator,
    'unsupported-shape',
    `expected a change to NHWC at the input, got axes ${axes.join(', ')} of [${shape.join(', ')}]`,
  );
};

/** Ends the integer network; whatever float operators follow must be its tail. */
export const dequantize: ReadOperator = (state, operator) => {
  const input = state.activation(operator, 0);
  const output = operator.outputs[0];
  if (input !== undefined && output !== undefined) state.dequantize(output, input.name);
};
