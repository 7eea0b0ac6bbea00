// SPDX-License-Identifier: Apache-2.0
// A quantized graph in ONNX's QOperator form: layers are integer operators that carry their scales
// and zero points as inputs. importQuantized gives back an equal graph.
import type { Clamp } from '../../graph/graph.js';
import type {
  QuantConv,
  QuantGraph,
  QuantNode,
  QuantPool,
  QuantValue,
} from '../../graph/quant-graph.js';
import { sameQuantization } from '../../graph/quant-types.js';
import { codeLimits } from '../../numeric/code-types.js';
import { attribute } from '../file/builder.js';
import { encodeModel } from '../file/encode.js';
import type { OnnxAttribute, OnnxModel } from '../file/model.js';
import { resizeAttributes } from '../file/resize-words.js';
import { parametersOf } from './activations.js';
import { impliesZero, weightOperands, windowAttributes } from './conv.js';
import { leakySlope, writeFloatLayer } from './float-layer.js';
import { buildModel } from './model.js';
import { type CodesTensor, type Writer, isGemm, isNarrow, missing, valueOf } from './writer.js';

/** An integer operator that a layer becomes, without its output. */
interface IntegerOperator {
  readonly op: string;
  /** The standard operators, or onnxruntime's own. */
  readonly domain: '' | 'com.microsoft';
  readonly inputs: readonly string[];
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
}

/**
 * Writes ONNX with QLinearConv, QGemm, QLinearAdd and their kin; the input and the outputs are
 * float32 behind QuantizeLinear and DequantizeLinear. Operators that ONNX itself lacks are of the
 * domain com.microsoft, which onnxruntime has. Layers that no integer operator can express (16- or
 * 32-bit codes, clamps inside the range of codes, hard-swish, another quantization) are written as
 * in {@link writeQdq}. Clamps that the saturation of the codes carries out are kept in the
 * metadata, so that they come back.
 *
 * @returns the bytes of an .onnx file
 * @throws ModelError where a value is missing or a layer cannot be expressed
 */
export function writeQop(graph: QuantGraph): Uint8Array {
  return encodeModel(toQopModel(graph));
}

/** The model that {@link writeQop} encodes. */
export function toQopModel(graph: QuantGraph): OnnxModel {
  const integer = new Set(graph.nodes.filter((node) => isInteger(graph, node)));
  const clamps = new Map<string, Clamp>();
  const singleZero = new Set<string>();
  for (const node of integer) {
    if ('clamp' in node) clamps.set(node.name, node.clamp);
    if (node.op !== 'Conv' || !isGemm(graph, node)) continue;
    if (impliesZero(node.weight)) singleZero.add(node.name);
  }
  return buildModel(
    graph,
    (writer, node) => {
      if (integer.has(node)) writeIntegerLayer(writer, node);
      else writeFloatLayer(writer, node);
    },
    { clamps, singleZero },
  );
}

// --- what an integer operator can express ---------------------------------------------------------

function isInteger(graph: QuantGraph, node: QuantNode): boolean {
  const output = valueOf(graph, node.output);
  const inputs = node.inputs.map((name) => valueOf(graph, name));
  if (![output, ...inputs].every(isByte)) return false;
  // onnxruntime's integer operators have one type of codes.
  if (inputs.some(({ dtype }) => dtype !== output.dtype)) return false;
  const moves = ['MaxPool', 'Pad', 'Reshape', 'Resize'].includes(node.op);
  if (moves && !sameQuantization(inputs[0]!, output)) return false;
  return hasOperator(node) && saturates(node, output);
}

function isByte(value: QuantValue): boolean {
  return (value.dtype === 'u8' || value.dtype === 's8') && !isNarrow(value);
}

function hasOperator(node: QuantNode): boolean {
  switch (node.op) {
    case 'Conv':
      return node.weight.dtype !== 's16';
    case 'Softmax':
      return node.beta === 1;
    case 'HardSwish':
    case 'HardSigmoid':
    case 'Gelu':
    case 'Requantize':
      return false;
    case 'Add':
    case 'Mul':
    case 'Sigmoid':
    case 'LeakyRelu':
    case 'AveragePool':
    case 'GlobalAveragePool':
    case 'MaxPool':
    case 'Concat':
    case 'Pad':
    case 'Reshape':
      return true;
    case 'Resize':
      return node.mode === 'nearest';
  }
}

/** Whether no code lies outside of the clamp. */
function saturates(node: QuantNode, output: QuantValue): boolean {
  const clamp = 'clamp' in node ? node.clamp : undefined;
  if (clamp === undefined) return true;
  const [lo, hi] = codeLimits(output.dtype, output.bits);
  // In doubles, as the bounds of codes are compared with float32 bounds.
  const code = (real: number) => real / output.scale + output.zeroPoint;
  // A bound half a step inside its last code still rounds to it.
  return (
    clamp.lo.every((bound) => code(bound) < lo + 0.499) &&
    clamp.hi.every((bound) => code(bound) > hi - 0.499)
  );
}

// --- layers ------------------------------------------------------------------------------------

function writeIntegerLayer(writer: Writer, node: QuantNode): void {
  const { graph, file } = writer;
  const value = valueOf(graph, node.output);
  const inputs = node.inputs.map((name) => writer.codes.get(name) ?? missing(node, name));
  // The dequantized output of the network has the value's name; its codes need another.
  const isOutput = graph.outputs.includes(value.name);
  const tensor = isOutput ? file.value(`${value.name}_codes`) : value.name;
  const parameters = parametersOf(writer, value);
  const { op, domain, inputs: operands, attributes } = operatorOf(writer, node, inputs, parameters);
  file.node(op, node.name, operands, tensor, attributes, domain);
  writer.codes.set(value.name, { tensor, parameters });
}

/** Tensor, scale, zero point: how these operators take an activation. */
function triple({ tensor, parameters }: CodesTensor): readonly string[] {
  return [tensor, ...parameters];
}

function operatorOf(
  writer: Writer,
  node: QuantNode,
  inputs: readonly CodesTensor[],
  output: readonly string[],
): IntegerOperator {
  const { file } = writer;
  const operands = inputs.flatMap(triple);
  const plain = (op: string, attributes: Readonly<Record<string, OnnxAttribute>> = {}) =>
    ({ op, domain: 'com.microsoft', inputs: [...operands, ...output], attributes }) as const;
  const onCodes = (
    extra: readonly string[] = [],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
  ) => ({ op: node.op, domain: '', inputs: [inputs[0]!.tensor, ...extra], attributes }) as const;
  switch (node.op) {
    case 'Conv':
      return convOperator(writer, node, operands, output);
    case 'Add':
    case 'Mul':
    case 'Sigmoid':
      return plain(`QLinear${node.op}`);
    case 'LeakyRelu':
      return plain('QLinearLeakyRelu', { alpha: attribute.float(node.alpha ?? leakySlope) });
    case 'GlobalAveragePool':
      return plain('QLinearGlobalAveragePool', { channels_last: attribute.int(0) });
    case 'AveragePool':
      return plain('QLinearAveragePool', {
        ...windowAttributes(node),
        count_include_pad: attribute.int(node.countIncludePad ? 1 : 0),
      });
    case 'Softmax':
      return plain('QLinearSoftmax', { axis: attribute.int(1), opset: attribute.int(13) });
    case 'Concat': {
      const attributes = { axis: attribute.int(1) };
      const all = [...output, ...operands];
      return { op: 'QLinearConcat', domain: 'com.microsoft', inputs: all, attributes };
    }
    case 'MaxPool':
      return onCodes([], windowAttributes(node satisfies QuantPool));
    case 'Pad': {
      const [top, left, bottom, right] = node.pads;
      const pads = Float64Array.of(0, 0, top, left, 0, 0, bottom, right);
      const zeroPoint = inputs[0]!.parameters[1]!;
      return onCodes([file.constant(`${node.name}_pads`, 's64', [8], pads), zeroPoint]);
    }
    case 'Resize': {
      const sizes = Float64Array.from(valueOf(writer.graph, node.output).shape);
      const constant = file.constant(`${node.name}_sizes`, 's64', [4], sizes);
      return onCodes(['', '', constant], resizeAttributes(node));
    }
    case 'Reshape': {
      const shape = Float64Array.from(valueOf(writer.graph, node.output).shape);
      return onCodes([file.constant(`${node.name}_shape`, 's64', [shape.length], shape)]);
    }
    case 'HardSwish':
    case 'HardSigmoid':
    case 'Gelu':
    case 'Requantize':
      throw new Error(`"${node.name}" (${node.op}) has no integer operator`);
  }
}

function convOperator(
  { graph, file }: Writer,
  conv: QuantConv,
  input: readonly string[],
  output: readonly string[],
): IntegerOperator {
  const gemm = isGemm(graph, conv);
  const [codes, scales, zeros] = weightOperands(file, conv, gemm);
  const weight = [codes, scales, zeros()];
  const { bias, name } = conv;
  const sums =
    bias === undefined ? [] : [file.constant(`${name}_bias_quantized`, 's32', [bias.length], bias)];
  if (gemm) {
    return {
      op: 'QGemm',
      domain: 'com.microsoft',
      inputs: [...input, ...weight, sums[0] ?? '', ...output],
      attributes: { transB: attribute.int(1) },
    };
  }
  return {
    op: 'QLinearConv',
    domain: '',
    inputs: [...input, ...weight, ...output, ...sums],
    attributes: {
      ...windowAttributes(conv),
      dilations: attribute.ints(conv.dilations),
      group: attribute.int(conv.group),
    },
  };
}
