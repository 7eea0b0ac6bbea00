// SPDX-License-Identifier: Apache-2.0
// The QOperator format: layers that carry their scales and zero points as inputs. QLinearConv and
// QLinearMatMul are ONNX's own; the others are in the domain com.microsoft.
import type { Shape } from '../../../graph/graph.js';
import type { QuantNode, QuantUnary, QuantValue, QuantWeight } from '../../../graph/quant-graph.js';
import { sameQuantization } from '../../../graph/quant-types.js';
import type { OnnxNode } from '../../file/model.js';
import { floatOf, intOf } from '../attributes.js';
import type { ConvLayer, ConstantCodes, Quantization } from '../known.js';
import { activationParameters, constantCodes, readParameters } from '../parameters.js';
import type { ReadOperator, ImportState } from '../state.js';
import { checkOperands, constantOperand } from './arithmetic.js';
import { type WeightLayout, arrange, convPending, readBias } from './conv-layer.js';
import { acceptsRow, convGeometry, rowLayer } from './linear.js';
import { poolGeometry } from './pools.js';
import { alongChannels } from './unary.js';

/** An activation with the scale and zero point that the operator states for it, checked. */
function codesInput(
  state: ImportState,
  node: OnnxNode,
  index: number,
  scaleInput = index + 1,
  zeroInput = index + 2,
): QuantValue | undefined {
  const known = state.get(node, index);
  if (known.kind === 'input' && known.dtype !== 'f32') {
    const quantization = activationParameters(state, node, scaleInput, zeroInput, known.dtype);
    if (quantization === undefined) return undefined;
    state.makeValue(state.input, known.shape, quantization);
    state.set(node.inputs[index]!, { kind: 'codes', value: state.input });
  }
  const value = state.activation(node, index);
  if (value === undefined) return undefined;
  const stated = activationParameters(state, node, scaleInput, zeroInput, value.dtype);
  if (stated === undefined) return undefined;
  if (sameQuantization(value, stated)) return value;
  state.fail(
    node,
    'conflicting-quantization',
    `"${node.inputs[index]!}" has scale ${value.scale} and zero point ${value.zeroPoint}, but is read with ${stated.scale} and ${stated.zeroPoint}; make them agree`,
  );
  return undefined;
}

/** Adds the finished layer and its output value. */
function finish(
  state: ImportState,
  node: OnnxNode,
  shape: Shape,
  quantization: Quantization,
  make: (output: string) => QuantNode,
): void {
  const codes = node.outputs[0]!;
  const value = state.makeValue(state.valueName(codes, codes), shape, quantization);
  state.add(make(value.name));
  state.set(codes, { kind: 'codes', value: value.name });
}

function constantInput(
  state: ImportState,
  node: OnnxNode,
  index: number,
  axis: number,
): ConstantCodes | undefined {
  const tensor = state.codesConstant(node, index);
  if (tensor === undefined) {
    state.fail(
      node,
      'unsupported-weights',
      `expected constant codes at input ${index}, got "${node.inputs[index]!}"; fold them`,
    );
    return undefined;
  }
  const parameters = readParameters(state, node, index + 1, index + 2);
  return parameters && constantCodes(state, node, tensor, parameters, axis);
}

function weightInput(
  state: ImportState,
  node: OnnxNode,
  index: number,
  name: string,
  layout: WeightLayout,
): QuantWeight | undefined {
  const codes = constantInput(state, node, index, layout.outputAxis);
  return codes && arrange(state, node, name, codes, layout);
}

export const qLinearConv: ReadOperator = (state, node) => {
  const name = state.layerName(node);
  const input = codesInput(state, node, 0);
  if (input === undefined) return;
  const weight = weightInput(state, node, 3, name, { rank: 4, outputAxis: 0 });
  const geometry = weight && convGeometry(state, node, input, weight.shape);
  const quantization = geometry && activationParameters(state, node, 6, 7);
  if (weight === undefined || geometry === undefined || quantization === undefined) return;
  const bias = readBias(state, node, 8, input, weight);
  if (bias === null) return;
  finish(state, node, geometry.shape, quantization, (output) => ({
    op: 'Conv',
    name,
    inputs: [input.name],
    output,
    ...geometry.window,
    weight,
    bias,
    fullyConnected: state.facts.fullyConnected.has(name),
  }));
};

export const qLinearMatMul: ReadOperator = (state, node) => {
  qRow(state, node, { rank: 2, outputAxis: 1 }, undefined, 6);
};

/** y = A * B + C with integers; without an output scale the result is float. */
export const qGemm: ReadOperator = (state, node) => {
  if (floatOf(node, 'alpha', 1) !== 1 || intOf(node, 'transA', 0) !== 0) {
    state.fail(
      node,
      'unsupported-attribute',
      'expected alpha = 1 and transA = 0; fold the factor into the weights',
    );
    return;
  }
  const outputAxis = intOf(node, 'transB', 0) === 1 ? 0 : 1;
  qRow(state, node, { rank: 2, outputAxis }, 6, 7);
};

function qRow(
  state: ImportState,
  node: OnnxNode,
  layout: WeightLayout,
  biasInput: number | undefined,
  scaleInput: number,
): void {
  const name = state.layerName(node);
  const input = codesInput(state, node, 0);
  if (input === undefined) return;
  const read = weightInput(state, node, 3, name, layout);
  const isSingle = state.facts.singleZero.has(name) && read?.zeroPoints.every((z) => z === 0);
  const weight = isSingle === true && read ? { ...read, zeroPoints: Int32Array.of(0) } : read;
  if (weight === undefined || !acceptsRow(state, node, input, weight.shape[1]!)) return;
  const bias =
    biasInput === undefined ? undefined : readBias(state, node, biasInput, input, weight);
  if (bias === null) return;
  const layer = rowLayer(name, input, weight, bias);
  const shape = [1, weight.shape[0]!];
  if ((node.inputs[scaleInput] ?? '') === '') {
    state.pend(node, convPending(state, layer, shape));
    return;
  }
  const quantization = activationParameters(state, node, scaleInput, scaleInput + 1);
  if (quantization === undefined) return;
  finish(state, node, shape, quantization, (output) => ({ op: 'Conv', ...layer, output }));
}

function qElementwise(op: 'Add' | 'Mul'): ReadOperator {
  return (state, node) => {
    const quantization = activationParameters(state, node, 6, 7);
    if (quantization === undefined) return;
    const operands = qOperands(state, node);
    if (operands === undefined) return;
    const name = state.layerName(node);
    const [a, b] = operands;
    const inputs = [a.name, b.name];
    finish(state, node, a.shape, quantization, (output) => ({ op, name, inputs, output }));
  };
}

export const qLinearAdd = qElementwise('Add');
export const qLinearMul = qElementwise('Mul');

function qOperands(
  state: ImportState,
  node: OnnxNode,
): readonly [QuantValue, QuantValue] | undefined {
  const constantAt = [0, 3].find((i) => state.codesConstant(node, i) !== undefined);
  if (constantAt === undefined) {
    const a = codesInput(state, node, 0);
    const b = a && codesInput(state, node, 3);
    return a === undefined || b === undefined ? undefined : checkOperands(state, node, a, b);
  }
  const other = codesInput(state, node, 3 - constantAt);
  const codes = other && constantInput(state, node, constantAt, 0);
  const made = codes && constantOperand(state, node, other, node.inputs[constantAt]!, codes);
  if (other === undefined || made === undefined) return undefined;
  return constantAt === 0 ? [made, other] : [other, made];
}

export const qLinearAveragePool: ReadOperator = (state, node) => {
  const input = channelsFirst(state, node) ? codesInput(state, node, 0) : undefined;
  const geometry = input && poolGeometry(state, node, input.shape);
  const quantization = geometry && activationParameters(state, node, 3, 4);
  if (input === undefined || geometry === undefined || quantization === undefined) return;
  const name = state.layerName(node);
  const countIncludePad = intOf(node, 'count_include_pad', 0) === 1;
  finish(state, node, geometry.shape, quantization, (output) => ({
    op: 'AveragePool',
    name,
    inputs: [input.name],
    output,
    ...geometry.window,
    countIncludePad,
  }));
};

export const qLinearGlobalAveragePool: ReadOperator = (state, node) => {
  const input = channelsFirst(state, node) ? codesInput(state, node, 0) : undefined;
  const quantization = input && activationParameters(state, node, 3, 4);
  if (input === undefined || quantization === undefined) return;
  const name = state.layerName(node);
  const shape = [1, input.shape[1]!, 1, 1];
  finish(state, node, shape, quantization, (output) => ({
    op: 'GlobalAveragePool',
    name,
    inputs: [input.name],
    output,
  }));
};

function channelsFirst(state: ImportState, node: OnnxNode): boolean {
  if (intOf(node, 'channels_last', 0) === 0) return true;
  state.fail(node, 'unsupported-attribute', 'expected channels_last = 0; export in NCHW');
  return false;
}

export const qLinearConcat: ReadOperator = (state, node) => {
  const quantization = activationParameters(state, node, 0, 1);
  if (quantization === undefined) return;
  const count = (node.inputs.length - 2) / 3;
  const inputs = Array.from({ length: count }, (_, i) => codesInput(state, node, 2 + 3 * i));
  if (!inputs.every((input) => input !== undefined)) return;
  const [first] = inputs;
  const agrees = inputs.every(({ shape }) =>
    shape.every((size, i) => i === 1 || size === first?.shape[i]),
  );
  if (first === undefined || !agrees || !alongChannels(first.shape, intOf(node, 'axis', 1))) {
    state.fail(node, 'unsupported-shape', 'expected images joined along channels (axis 1)');
    return;
  }
  const channels = inputs.reduce((sum, { shape }) => sum + shape[1]!, 0);
  const name = state.layerName(node);
  const shape = first.shape.map((size, i) => (i === 1 ? channels : size));
  finish(state, node, shape, quantization, (output) => ({
    op: 'Concat',
    name,
    inputs: inputs.map((input) => input.name),
    output,
  }));
};

/** Functions of one value: x, its scale and zero point, those of the result. */
function qUnary(op: QuantUnary['op'], slopeOf?: (node: OnnxNode) => number): ReadOperator {
  return (state, node) => {
    const input = codesInput(state, node, 0);
    const quantization = input && activationParameters(state, node, 3, 4);
    if (input === undefined || quantization === undefined) return;
    const name = state.layerName(node);
    finish(state, node, input.shape, quantization, (output) => ({
      op,
      name,
      inputs: [input.name],
      output,
      ...(slopeOf === undefined ? {} : { alpha: slopeOf(node) }),
    }));
  };
}

export const qLinearSigmoid = qUnary('Sigmoid');
export const qLinearLeakyRelu = qUnary('LeakyRelu', (node) =>
  floatOf(node, 'alpha', Math.fround(0.01)),
);

export const qLinearSoftmax: ReadOperator = (state, node) => {
  const input = codesInput(state, node, 0);
  const quantization = input && activationParameters(state, node, 3, 4);
  if (input === undefined || quantization === undefined) return;
  const axis = intOf(node, 'axis', -1);
  if (!alongChannels(input.shape, axis)) {
    state.fail(
      node,
      'unsupported-axis',
      `expected a softmax along channels (axis 1), got axis ${axis} of [${input.shape.join(', ')}]`,
    );
    return;
  }
  const name = state.layerName(node);
  finish(state, node, input.shape, quantization, (output) => ({
    op: 'Softmax',
    name,
    inputs: [input.name],
    output,
    beta: 1,
  }));
};

export const convInteger: ReadOperator = (state, node) => {
  const name = state.layerName(node);
  const input = state.activation(node, 0);
  const codes = input && integerWeights(state, node, input, 0);
  if (input === undefined || codes === undefined) return;
  const geometry = convGeometry(state, node, input, codes.shape);
  if (geometry === undefined) return;
  pendSums(state, node, codes, { rank: 4, outputAxis: 0 }, name, geometry.shape, (weight) => ({
    ...rowLayer(name, input, weight, undefined),
    ...geometry.window,
    fullyConnected: false,
  }));
};

export const matMulInteger: ReadOperator = (state, node) => {
  const name = state.layerName(node);
  const input = state.activation(node, 0);
  const codes = input && integerWeights(state, node, input, 1);
  if (input === undefined || codes === undefined) return;
  if (!acceptsRow(state, node, input, codes.shape[0]!)) return;
  const shape = [1, codes.shape[1]!];
  pendSums(state, node, codes, { rank: 2, outputAxis: 1 }, name, shape, (weight) =>
    rowLayer(name, input, weight, undefined),
  );
};

/** Weights and zero points of ConvInteger and MatMulInteger: x, w, x zero point, w zero point. */
function integerWeights(
  state: ImportState,
  node: OnnxNode,
  input: QuantValue,
  axis: number,
): ConstantCodes | undefined {
  const weights = state.codesConstant(node, 1);
  const zero = (node.inputs[2] ?? '') === '' ? 0 : state.constant(node, 2)?.data[0];
  const weightZeros = (node.inputs[3] ?? '') === '' ? [0] : state.constant(node, 3)?.data;
  if (weights === undefined || weightZeros === undefined || zero !== input.zeroPoint) {
    state.fail(
      node,
      'bad-quantization',
      `expected constant weights and the input's zero point ${input.zeroPoint}, got ${zero ?? 'none'}`,
    );
    return undefined;
  }
  const zeroPoints = Int32Array.from(weightZeros);
  const scales = new Float32Array(zeroPoints.length).fill(1);
  return constantCodes(state, node, weights, { scales, zeroPoints, dtype: undefined }, axis);
}

/** Sums whose weight scale is known when Mul multiplies them by (input scale x weight scale). */
function pendSums(
  state: ImportState,
  node: OnnxNode,
  codes: ConstantCodes,
  layout: WeightLayout,
  name: string,
  shape: Shape,
  make: (weight: QuantWeight) => ConvLayer,
): void {
  state.set(node.outputs[0]!, {
    kind: 'sums',
    withScales: (factors) => {
      const weight = arrange(state, node, name, codes, layout);
      if (weight === undefined) return undefined;
      const outputs = weight.shape[0]!;
      if (factors.length !== 1 && factors.length !== outputs) return undefined;
      const draft = make(weight);
      const inputScale = state.value(draft.inputs[0]!).scale;
      const scales = factors.map((factor) => factor / inputScale);
      const layer = make({ ...weight, scales });
      return { ...convPending(state, layer, shape), clamp: undefined, fate: {} };
    },
  });
}
