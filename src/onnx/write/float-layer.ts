// SPDX-License-Identifier: Apache-2.0
// A layer as float operators between DequantizeLinear and QuantizeLinear.
import type { QuantNode, QuantUnary, QuantValue } from '../../graph/quant-graph.js';
import { type OnnxBuilder, attribute } from '../file/builder.js';
import type { OnnxAttribute } from '../file/model.js';
import { resizeAttributes } from '../file/resize-words.js';
import { dequantize, quantize } from './activations.js';
import { clampStages, rangeStage } from './clamps.js';
import { convStage, windowAttributes } from './conv.js';
import { type Stage, type Writer, isNarrow, missing, valueOf } from './writer.js';

/**
 * Writes a layer as float operators between DequantizeLinear and QuantizeLinear.
 *
 * @returns its output value
 */
export function writeFloatLayer(writer: Writer, node: QuantNode): QuantValue {
  const { graph, file } = writer;
  const value = valueOf(graph, node.output);
  const inputs = node.inputs.map((name) => realOf(writer, node, name));
  const body = bodyOf(writer, node, inputs, value);
  const clamp = 'clamp' in node ? node.clamp : undefined;
  const bounds = clamp === undefined ? [] : clampStages(file, node.name, clamp, value);
  const range = isNarrow(value) ? [rangeStage(file, value)] : [];
  const stages =
    node.op === 'Requantize'
      ? carryName(file, node, bounds, range)
      : [...body, ...bounds, ...range];
  const float = graph.outputs.includes(value.name)
    ? file.value(`${value.name}_QuantizeLinear_Input`)
    : value.name;
  emitChain(file, stages, inputs[0]!, float);
  quantize(writer, value, float);
  return value;
}

function realOf(writer: Writer, node: QuantNode, name: string): string {
  dequantize(writer, name);
  return writer.real.get(name) ?? missing(node, name);
}

/**
 * A Requantize is its own Q/DQ pair, so the first operator before the pair has to carry its name:
 * the clamp, or else a Clip without bounds.
 */
function carryName(
  file: OnnxBuilder,
  node: QuantUnary,
  bounds: readonly Stage[],
  range: readonly Stage[],
): Stage[] {
  const [first, ...rest] = bounds;
  const carrier: Stage = first ?? { op: 'Clip', name: node.name, inputs: [], chained: true };
  return [{ ...carrier, name: node.name }, ...rest, ...range];
}

function emitChain(file: OnnxBuilder, stages: readonly Stage[], start: string, end: string): void {
  let current = start;
  stages.forEach((stage, i) => {
    const output = i === stages.length - 1 ? end : file.value(`${stage.name}_output`);
    const inputs = stage.chained === true ? [current, ...stage.inputs] : stage.inputs;
    file.node(stage.op, stage.name, inputs, output, stage.attributes ?? {});
    current = output;
  });
}

/** The operators of a layer without its clamp. */
function bodyOf(
  writer: Writer,
  node: QuantNode,
  inputs: readonly string[],
  value: QuantValue,
): readonly Stage[] {
  const { file } = writer;
  const { name } = node;
  const plain = (op: string, attributes: Readonly<Record<string, OnnxAttribute>> = {}): Stage[] => [
    { op, name, inputs, attributes },
  ];
  switch (node.op) {
    case 'Conv':
      return [convStage(writer, node, inputs)];
    case 'Add':
    case 'Mul':
    case 'Sigmoid':
    case 'GlobalAveragePool':
      return plain(node.op);
    case 'AveragePool':
      return plain(node.op, {
        ...windowAttributes(node),
        count_include_pad: attribute.int(node.countIncludePad ? 1 : 0),
      });
    case 'MaxPool':
      return plain(node.op, windowAttributes(node));
    case 'Concat':
      return plain(node.op, { axis: attribute.int(1) });
    case 'Pad': {
      const [top, left, bottom, right] = node.pads;
      const pads = Float64Array.of(0, 0, top, left, 0, 0, bottom, right);
      const constant = file.constant(`${name}_pads`, 's64', [8], pads);
      return [{ op: 'Pad', name, inputs: [...inputs, constant] }];
    }
    case 'Resize': {
      const sizes = file.constant(`${name}_sizes`, 's64', [4], Float64Array.from(value.shape));
      const attributes = resizeAttributes(node);
      return [{ op: 'Resize', name, inputs: [...inputs, '', '', sizes], attributes }];
    }
    case 'Reshape': {
      const { shape } = value;
      const constant = file.constant(
        `${name}_shape`,
        's64',
        [shape.length],
        Float64Array.from(shape),
      );
      return [{ op: 'Reshape', name, inputs: [...inputs, constant] }];
    }
    case 'Softmax':
      return softmaxStages(file, name, node.beta, inputs);
    case 'HardSigmoid':
      return plain(node.op, rampAttributes(node));
    case 'LeakyRelu':
      return plain(node.op, { alpha: attribute.float(node.alpha ?? leakySlope) });
    case 'Gelu':
      return plain(node.op, node.approximate ? { approximate: attribute.text('tanh') } : {});
    case 'HardSwish':
      return hardSwishStages(file, node, inputs);
    case 'Requantize':
      return [];
  }
}

function softmaxStages(
  file: OnnxBuilder,
  name: string,
  beta: number,
  inputs: readonly string[],
): readonly Stage[] {
  const attributes = { axis: attribute.int(1) };
  if (beta === 1) return [{ op: 'Softmax', name, inputs, attributes }];
  const factor = file.constant(`${name}_beta`, 'f32', [], Float32Array.of(beta));
  return [
    { op: 'Mul', name: file.layer(`${name}_Mul`), inputs: [...inputs, factor] },
    { op: 'Softmax', name, inputs: [], chained: true, attributes },
  ];
}

function rampAttributes({ alpha, beta }: QuantUnary) {
  return {
    ...(alpha === undefined ? {} : { alpha: attribute.float(alpha) }),
    ...(beta === undefined ? {} : { beta: attribute.float(beta) }),
  };
}

/** ONNX's HardSwish has fixed constants; another ramp is a HardSigmoid times its own input. */
function hardSwishStages(
  file: OnnxBuilder,
  node: QuantUnary,
  inputs: readonly string[],
): readonly Stage[] {
  const { name } = node;
  if (isStandardHardSwish(node)) return [{ op: 'HardSwish', name, inputs }];
  const gate = file.layer(`${name}_HardSigmoid`);
  return [
    { op: 'HardSigmoid', name: gate, inputs, attributes: rampAttributes(node) },
    { op: 'Mul', name, inputs: [inputs[0]!], chained: true },
  ];
}

/** ONNX's slope of a LeakyRelu that states none. */
export const leakySlope = 0.01;

/** Whether ONNX's own HardSwish, whose constants are fixed, says it. */
export function isStandardHardSwish(node: QuantNode): boolean {
  return node.op === 'HardSwish' && node.alpha === undefined && node.beta === undefined;
}
