// SPDX-License-Identifier: Apache-2.0
// Add and Mul of two values, of a value and a constant, and the few other roles that Add, Mul,
// Div, Round and Cast play in quantized files.
import { constantLike } from '../../../graph/quant-constant.js';
import type { QuantValue } from '../../../graph/quant-graph.js';
import type { OnnxNode } from '../../file/model.js';
import { intOf } from '../attributes.js';
import { isFloatType } from '../float-types.js';
import { takeHeadCast, takeHeadStep } from '../input-head.js';
import type { ConstantCodes } from '../known.js';
import { perChannel } from '../per-channel.js';
import { type ReadOperator, type ImportState, wayOut } from '../state.js';
import { takeAffine } from './affine.js';
import { biasCodes, convPending, saturatedBias } from './conv-layer.js';
import { pendUnary } from './unary.js';

export const add: ReadOperator = (state, node) => {
  if (takeHeadStep(state, node) || addBias(state, node) || takeAffine(state, node)) return;
  elementwise(state, node, 'Add');
};

export const mul: ReadOperator = (state, node) => {
  if (passesOn(state, node)) return;
  if (takeHeadStep(state, node) || scaleSums(state, node) || takeGate(state, node)) return;
  if (scaleLogits(state, node) || takeAffine(state, node)) return;
  elementwise(state, node, 'Mul');
};

/** A factor of 1, which tools leave behind pools whose size is a power of two, changes nothing. */
function passesOn(state: ImportState, node: OnnxNode): boolean {
  for (const index of [0, 1]) {
    const factor = state.realConstant(node, 1 - index);
    const known = state.peek(node.inputs[index] ?? '');
    if (factor?.data.length !== 1 || factor.data[0] !== 1) continue;
    if (known?.kind !== 'pending' && known?.kind !== 'real') continue;
    state.set(node.outputs[0]!, known);
    return true;
  }
  return false;
}

/** Sub of a constant, or of the network's input in float. */
export const sub: ReadOperator = (state, node) => {
  if (takeHeadStep(state, node) || takeAffine(state, node)) return;
  const operands = [state.activation(node, 0), state.activation(node, 1)];
  if (operands.includes(undefined)) return;
  state.fail(node, 'unsupported-op', `a difference of two values has no layer here; ${wayOut}`);
};

/** A constant added to a convolution that has no bias yet is its bias. */
function addBias(state: ImportState, node: OnnxNode): boolean {
  const kinds = [state.get(node, 0), state.get(node, 1)] as const;
  const index = kinds[0].kind === 'pending' ? 0 : 1;
  const sum = kinds[index];
  const other = kinds[1 - index]!;
  if (sum.kind !== 'pending' || sum.pending.conv?.bias !== undefined) return false;
  const { conv, clamp, shape } = sum.pending;
  if (conv === undefined || clamp !== undefined) return false;
  const constant = other.kind === 'constant' ? other.tensor : undefined;
  const constantShape = constant?.shape ?? (other.kind === 'constantReal' ? other.codes.shape : []);
  if (
    perChannel(constantShape, { length: constantShape.reduce((a, b) => a * b, 1) }, shape) ===
    undefined
  ) {
    return false;
  }
  const input = state.value(conv.inputs[0]!);
  const codes = biasCodes(other, input.scale, conv.weight);
  if (codes === undefined) return false;
  const bias = saturatedBias(state, node, input, conv.weight, codes);
  state.pend(node, convPending(state, { ...conv, bias }, shape));
  return true;
}

/** Integer sums times constant scales: the end of a ConvInteger or MatMulInteger. */
function scaleSums(state: ImportState, node: OnnxNode): boolean {
  for (const index of [0, 1]) {
    const known = state.get(node, index);
    const factor = state.constant(node, 1 - index);
    if (known.kind !== 'sums' || factor?.dtype !== 'f32') continue;
    const pending = known.withScales(Float32Array.from(factor.data));
    if (pending === undefined) return false;
    state.set(node.outputs[0]!, { kind: 'pending', pending });
    return true;
  }
  return false;
}

/** x * HardSigmoid(x), which is HardSwish. */
function takeGate(state: ImportState, node: OnnxNode): boolean {
  for (const index of [0, 1]) {
    const known = state.get(node, index);
    const other = state.get(node, 1 - index);
    if (known.kind !== 'pending' || other.kind !== 'real') continue;
    const { gate: ramp, clamp } = known.pending;
    if (ramp?.value !== other.value || clamp !== undefined) continue;
    const { alpha, beta } = ramp;
    pendUnary(state, node, 'HardSwish', state.value(ramp.value), { alpha, beta });
    return true;
  }
  return false;
}

/** A value times one float constant: the beta of a softmax that follows. */
function scaleLogits(state: ImportState, node: OnnxNode): boolean {
  if (!state.readersOf(node.outputs[0]!).includes('Softmax')) return false;
  for (const index of [0, 1]) {
    const known = state.get(node, index);
    const factor = state.constant(node, 1 - index);
    if (known.kind !== 'real' || factor?.data.length !== 1) continue;
    const { value } = known;
    state.set(node.outputs[0]!, { kind: 'scaled', value, factor: factor.data[0]! });
    return true;
  }
  return false;
}

function elementwise(state: ImportState, node: OnnxNode, op: 'Add' | 'Mul'): void {
  const operands = readOperands(state, node, 0, 1);
  if (operands === undefined) return;
  const name = state.layerName(node);
  state.pend(node, {
    name,
    shape: operands[0].shape,
    takesClamp: true,
    emit: (value, clamp) => {
      state.add({
        op,
        name,
        inputs: operands.map((operand) => operand.name),
        output: value.name,
        ...(clamp === undefined ? {} : { clamp }),
      });
    },
  });
}

/** Both operands as values, the larger first; constants become layers. */
function readOperands(
  state: ImportState,
  node: OnnxNode,
  a: number,
  b: number,
): readonly [QuantValue, QuantValue] | undefined {
  const known = [a, b].map((i) => state.get(node, i));
  const constantAt = known.findIndex((k) => k.kind === 'constantReal');
  if (constantAt >= 0) {
    const other = state.activation(node, constantAt === 0 ? b : a);
    const constant = known[constantAt]!;
    if (other === undefined || constant.kind !== 'constantReal') return undefined;
    const tensor = node.inputs[constantAt === 0 ? a : b]!;
    const operand = constantOperand(state, node, other, tensor, constant.codes);
    return operand === undefined ? undefined : arrangeOperands(constantAt === 0, other, operand);
  }
  if (known.some((k) => k.kind === 'constant')) {
    state.fail(node, 'unsupported-constant', `its constant operand has no scale; ${wayOut}`);
    return undefined;
  }
  const values = [a, b].map((i) => state.activation(node, i));
  const [first, second] = values;
  if (first === undefined || second === undefined) return undefined;
  return checkOperands(state, node, first, second);
}

function arrangeOperands(
  constantFirst: boolean,
  other: QuantValue,
  constant: QuantValue,
): readonly [QuantValue, QuantValue] {
  return constantFirst ? [constant, other] : [other, constant];
}

/** Adds the layers that make a constant operand; undefined where its shape is not supported. */
export function constantOperand(
  state: ImportState,
  node: OnnxNode,
  like: QuantValue,
  tensor: string,
  codes: ConstantCodes,
): QuantValue | undefined {
  const { shape, data, dtype, bits, scales, zeroPoints } = codes;
  const values = perChannel(shape, data, like.shape);
  if (values === undefined || scales.length !== 1 || dtype === 's32') {
    state.fail(
      node,
      'unsupported-constant',
      `expected a constant of one value per channel and one scale, got shape [${shape.join(', ')}]`,
    );
    return undefined;
  }
  const name = state.claimLayer(tensor);
  const layers = constantLike(like, {
    name,
    dtype,
    bits,
    scale: scales[0]!,
    zeroPoint: zeroPoints[0]!,
    codes: values,
  });
  return state.addConstant(layers);
}

/** Equal shapes, or one operand [1,C,1,1] of a product, which is then the second. */
export function checkOperands(
  state: ImportState,
  node: OnnxNode,
  first: QuantValue,
  second: QuantValue,
): readonly [QuantValue, QuantValue] | undefined {
  if (sameShape(first, second)) return [first, second];
  const isProduct = node.op === 'Mul' || node.op === 'QLinearMul';
  if (isProduct && isChannelVector(second, first)) return [first, second];
  if (isProduct && isChannelVector(first, second)) return [second, first];
  state.fail(
    node,
    'unsupported-shape',
    `expected operands of one shape, got [${first.shape.join(', ')}] and [${second.shape.join(', ')}]`,
  );
  return undefined;
}

function sameShape(a: QuantValue, b: QuantValue): boolean {
  return a.shape.length === b.shape.length && a.shape.every((size, i) => size === b.shape[i]);
}

function isChannelVector(vector: QuantValue, image: QuantValue): boolean {
  const { shape } = vector;
  return shape.length === 4 && shape[1] === image.shape[1] && shape[2] === 1 && shape[3] === 1;
}

/** x / scale, the first step to int32 codes (see NOTES.md), or by a constant of any other use. */
export const div: ReadOperator = (state, node) => {
  if (takeHeadStep(state, node)) return;
  const rounded = state.readersOf(node.outputs[0]!).includes('Round');
  if (!rounded && takeAffine(state, node)) return;
  const known = state.get(node, 0);
  const scale = state.constant(node, 1);
  if (known.kind === 'pending' && scale?.dtype === 'f32' && scale.data.length === 1) {
    state.set(node.outputs[0]!, {
      kind: 'quotient',
      pending: known.pending,
      tensor: node.inputs[0]!,
      scale: scale.data[0]!,
      rounded: false,
    });
    return;
  }
  unsupportedHere(state, node);
};

export const round: ReadOperator = (state, node) => {
  const known = state.get(node, 0);
  if (known.kind !== 'quotient') {
    unsupportedHere(state, node);
    return;
  }
  state.set(node.outputs[0]!, { ...known, rounded: true });
};

export const cast: ReadOperator = (state, node) => {
  const known = state.get(node, 0);
  const output = node.outputs[0]!;
  const to = intOf(node, 'to', 0);
  if (takeHeadCast(state, node, to)) return;
  if (isFloatType(to) && (known.kind === 'real' || known.kind === 'pending')) {
    state.set(output, known);
    return;
  }
  // TensorProto.DataType: 1 is float32, 6 is int32.
  if (known.kind === 'sums' && isFloatType(to)) {
    state.set(output, known);
    return;
  }
  if (known.kind === 'tail') {
    state.set(output, known);
    return;
  }
  if (known.kind !== 'quotient' || !known.rounded || to !== 6) {
    unsupportedHere(state, node);
    return;
  }
  const { pending, tensor, scale } = known;
  const quantization = { dtype: 's32', bits: 32, scale, zeroPoint: 0 } as const;
  const name = state.valueName(tensor, output);
  const value = state.quantize(node, tensor, pending, quantization, name);
  if (value !== undefined) state.set(output, { kind: 'codes', value: value.name });
};

function unsupportedHere(state: ImportState, node: OnnxNode): void {
  const known = state.get(node, 0);
  if (known.kind === 'failed') {
    state.giveUp(node);
    return;
  }
  state.fail(
    node,
    'float-layer',
    `${node.op} is supported only as part of a quantization to int32; ${wayOut}`,
  );
}
