// SPDX-License-Identifier: Apache-2.0
// QuantizeLinear and DequantizeLinear: on activations they bound a layer, on constants they are
// part of it.
import { sameQuantization } from '../../../graph/quant-types.js';
import { codeArrays, codeLimits, clampInteger } from '../../../numeric/code-types.js';
import { roundHalfEven } from '../../../numeric/round.js';
import type { OnnxDType, OnnxNode, OnnxTensor } from '../../file/model.js';
import { intOf } from '../attributes.js';
import { headNote } from '../input-head.js';
import type { Quantization } from '../known.js';
import {
  type Parameters,
  activationParameters,
  constantCodes,
  readParameters,
  storageOf,
} from '../parameters.js';
import type { ReadOperator, ImportState } from '../state.js';

export const quantizeLinear: ReadOperator = (state, node) => {
  if (refuseBlocks(state, node)) return;
  const known = state.get(node, 0);
  const tensor = node.inputs[0]!;
  const output = node.outputs[0]!;
  if (known.kind === 'failed') {
    state.giveUp(node);
    return;
  }
  if (known.kind === 'constant' || known.kind === 'constantReal') {
    const parameters = readParameters(state, node, 1, 2);
    if (parameters === undefined) return;
    const axis = intOf(node, 'axis', 1);
    const reals = state.realConstant(node, 0)!;
    const codes = quantizeConstant(state, node, reals, parameters, axis);
    if (codes !== undefined) state.set(output, { kind: 'constantCodes', codes });
    return;
  }
  const quantization = activationParameters(state, node, 1, 2);
  if (quantization === undefined) return;
  const name = state.valueName(tensor, output);
  if (known.kind === 'input') {
    if (known.dtype !== 'f32') {
      state.fail(node, 'bad-quantization', `its input "${tensor}" is already ${known.dtype}`);
      return;
    }
    state.makeValue(state.input, known.shape, quantization);
    if (known.head !== undefined) state.note(headNote(state.input, known.head));
    state.set(output, { kind: 'codes', value: state.input });
    return;
  }
  if (known.kind === 'real') {
    requantize(state, node, known.value, quantization);
    return;
  }
  if (known.kind === 'pending') {
    const value = state.quantize(node, tensor, known.pending, quantization, name);
    if (value !== undefined) state.set(output, { kind: 'codes', value: value.name });
    return;
  }
  state.activation(node, 0);
  state.giveUp(node);
};

/** Codes straight into other codes: only scale and zero point change. */
function requantize(
  state: ImportState,
  node: OnnxNode,
  input: string,
  quantization: Quantization,
): void {
  const codes = node.outputs[0]!;
  const { shape } = state.value(input);
  const value = state.makeValue(state.valueName(codes, codes), shape, quantization);
  state.add({
    op: 'Requantize',
    name: state.layerName(node),
    inputs: [input],
    output: value.name,
  });
  state.set(codes, { kind: 'codes', value: value.name });
}

export const dequantizeLinear: ReadOperator = (state, node) => {
  if (refuseBlocks(state, node)) return;
  const known = state.get(node, 0);
  if (known.kind === 'failed') {
    state.giveUp(node);
    return;
  }
  if (known.kind === 'input') {
    dequantizeInput(state, node);
    return;
  }
  if (known.kind === 'constant' || known.kind === 'constantCodes') {
    dequantizeConstant(state, node);
    return;
  }
  if (known.kind !== 'codes') {
    state.fail(node, 'bad-quantization', `its input "${node.inputs[0]!}" holds no codes`);
    return;
  }
  const value = state.value(known.value);
  const quantization = activationParameters(state, node, 1, 2, value.dtype);
  if (quantization === undefined) return;
  if (!sameQuantization(value, quantization)) {
    state.fail(
      node,
      'conflicting-quantization',
      `"${node.inputs[0]!}" has scale ${value.scale} and zero point ${value.zeroPoint}, but is read with ${quantization.scale} and ${quantization.zeroPoint}; make the pair agree`,
    );
    return;
  }
  state.set(node.outputs[0]!, { kind: 'real', value: known.value });
};

function dequantizeConstant(state: ImportState, node: OnnxNode): undefined {
  const known = state.get(node, 0);
  const parameters = readParameters(state, node, 1, 2);
  if (parameters === undefined) return;
  if (known.kind !== 'constant' && known.kind !== 'constantCodes') return;
  // The pair may stand on both sides of a transposition, so the axis is this node's own.
  const tensor = state.codesConstant(node, 0)!;
  const codes = constantCodes(state, node, tensor, parameters, intOf(node, 'axis', 1));
  if (codes !== undefined) state.set(node.outputs[0]!, { kind: 'constantReal', codes });
}

/** A network whose input already is codes. */
function dequantizeInput(state: ImportState, node: OnnxNode): undefined {
  const known = state.get(node, 0);
  if (known.kind !== 'input') return;
  if (known.dtype === 'f32') {
    state.fail(node, 'bad-quantization', `its input "${node.inputs[0]!}" holds no codes`);
    return;
  }
  const quantization = activationParameters(state, node, 1, 2, known.dtype);
  if (quantization === undefined) return;
  state.makeValue(state.input, known.shape, quantization);
  state.set(node.inputs[0]!, { kind: 'codes', value: state.input });
  state.set(node.outputs[0]!, { kind: 'real', value: state.input });
}

/** Q(x) = saturate(RNE(f32(x / scale)) + zero point), as ONNX defines it. */
function quantizeConstant(
  state: ImportState,
  node: OnnxNode,
  tensor: OnnxTensor,
  parameters: Parameters,
  axis: number,
) {
  const dtype: OnnxDType = parameters.dtype ?? 'u8';
  const stored = storageOf(dtype)!;
  const empty = { ...tensor, dtype, data: new Int32Array(tensor.data.length) };
  const codes = constantCodes(state, node, empty, { ...parameters, dtype }, axis);
  if (codes === undefined) return undefined;
  const { scales, zeroPoints } = codes;
  const inner = tensor.shape.slice(codes.axis + 1).reduce((a, b) => a * b, 1);
  const [min, max] = codeLimits(stored.dtype, stored.bits);
  const quantized = Array.from(tensor.data, (x, i) => {
    const channel = Math.floor(i / inner);
    const c = scales.length === 1 ? 0 : channel % scales.length;
    const zero = zeroPoints[zeroPoints.length === 1 ? 0 : c]!;
    return clampInteger(roundHalfEven(Math.fround(x / scales[c]!)) + zero, min, max);
  });
  return { ...codes, data: codeArrays[stored.dtype].from(quantized) };
}

function refuseBlocks(state: ImportState, node: OnnxNode): boolean {
  const block = intOf(node, 'block_size', 0);
  if (block === 0) return false;
  state.fail(
    node,
    'unsupported-quantization',
    `expected one scale per tensor or channel, got blocks of ${block}; quantize per channel`,
  );
  return true;
}
