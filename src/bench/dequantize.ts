// SPDX-License-Identifier: Apache-2.0
// A quantized network as the float network it stands for: what a float runtime would run if nobody
// had quantized it. Used where the float original is not at hand.
import { ModelError } from '../errors.js';
import { resizingOf } from '../graph/resizing.js';
import type { Clamp, Graph, Node, Shape, Tensor } from '../graph/graph.js';
import type { QuantConv, QuantGraph, QuantNode, QuantValue } from '../graph/quant-graph.js';
import { f32Tensor } from '../graph/tensors.js';

/** Weights and biases at their real values, activations unquantized. */
export function dequantizeGraph(graph: QuantGraph): Graph {
  const constants = new Map<string, Tensor>();
  const shapes = new Map<string, Shape>(
    [...graph.values].map(([name, { shape }]) => [name, shape]),
  );
  const nodes = graph.nodes.flatMap((node) => {
    const [first, ...rest] = floatNodes(graph, node, constants);
    for (const extra of [first!, ...rest]) {
      for (const output of extra.outputs) shapes.set(output, graph.values.get(node.output)!.shape);
    }
    return [first!, ...rest];
  });
  const info = (name: string) =>
    ({ name, dtype: 'f32', shape: graph.values.get(name)!.shape }) as const;
  return {
    name: graph.name,
    inputs: [info(graph.input)],
    outputs: graph.outputs.map(info),
    nodes,
    constants,
    shapes,
    normalizations: new Map(),
    metadata: new Map(),
  };
}

/** The layer, and its clamp as a node where the layer cannot hold it. */
function floatNodes(graph: QuantGraph, node: QuantNode, constants: Map<string, Tensor>): Node[] {
  const clamp: Clamp | undefined = 'clamp' in node ? node.clamp : undefined;
  const input = graph.values.get(node.inputs[0]!)!;
  const takesClamp = node.op === 'Add' || (node.op === 'Conv' && input.shape.length === 4);
  if (clamp === undefined || takesClamp) return [floatNode(graph, node, node.output, constants)];
  const inner = `${node.output}/unclamped`;
  return [
    floatNode(graph, node, inner, constants),
    { op: 'Clamp', name: `${node.name}/clamp`, inputs: [inner], outputs: [node.output], clamp },
  ];
}

function floatNode(
  graph: QuantGraph,
  node: QuantNode,
  output: string,
  constants: Map<string, Tensor>,
): Node {
  const { name, inputs } = node;
  const base = { name, inputs, outputs: [output] };
  switch (node.op) {
    case 'Conv':
      return convNode(graph, node, output, constants);
    case 'Add': {
      const { clamp } = node;
      return { op: 'Add', ...base, ...(clamp === undefined ? {} : { clamp }) };
    }
    case 'Mul':
    case 'Sigmoid':
    case 'GlobalAveragePool':
      return { op: node.op, ...base };
    case 'AveragePool': {
      const { kernel, strides, pads, countIncludePad } = node;
      return { op: 'AveragePool', ...base, kernel, strides, pads, countIncludePad };
    }
    case 'MaxPool': {
      const { kernel, strides, pads } = node;
      return { op: 'MaxPool', ...base, kernel, strides, pads, dilations: [1, 1] };
    }
    case 'Concat':
      return { op: 'Concat', ...base, axis: 1 };
    case 'Pad': {
      const [top, left, bottom, right] = node.pads;
      return { op: 'Pad', ...base, begin: [0, 0, top, left], end: [0, 0, bottom, right], value: 0 };
    }
    case 'Resize':
      return { op: 'Resize', ...base, ...resizingOf(node) };
    case 'Reshape':
      return { op: 'Reshape', ...base, shape: graph.values.get(node.output)!.shape };
    case 'Softmax':
      return { op: 'Softmax', ...base, axis: 1 };
    case 'HardSwish':
    case 'HardSigmoid': {
      const alpha = node.alpha ?? (node.op === 'HardSwish' ? 1 / 6 : 0.2);
      return { op: node.op, ...base, alpha, beta: node.beta ?? 0.5 };
    }
    case 'Gelu':
      return { op: 'Gelu', ...base, approximate: node.approximate ?? false };
    case 'LeakyRelu':
      throw new ModelError(
        'unsupported-op',
        `node "${name}"`,
        'LeakyRelu has no float form here; give the float original (--float), or leave the float peers out',
      );
    case 'Requantize':
      return { op: 'Identity', ...base };
  }
}

function convNode(
  graph: QuantGraph,
  conv: QuantConv,
  output: string,
  constants: Map<string, Tensor>,
): Node {
  const { name } = conv;
  const input = graph.values.get(conv.inputs[0]!)!;
  const isRow = input.shape.length === 2;
  const inputs = [conv.inputs[0]!, `${name}/weight`, ''];
  constants.set(`${name}/weight`, realWeights(conv, isRow));
  const bias = realBias(conv, input);
  if (bias !== undefined) {
    inputs[2] = `${name}/bias`;
    constants.set(`${name}/bias`, bias);
  }
  const base = { name, inputs, outputs: [output] };
  if (isRow) return { op: 'Gemm', ...base, alpha: 1, beta: 1, transA: false, transB: true };
  const { kernel, strides, pads, dilations, group, clamp } = conv;
  const window = { kernel, strides, pads, dilations, group };
  return { op: 'Conv', ...base, ...window, ...(clamp === undefined ? {} : { clamp }) };
}

function realWeights({ weight }: QuantConv, isRow: boolean): Tensor {
  const { data, scales, zeroPoints, shape } = weight;
  const perChannel = data.length / shape[0]!;
  const reals = Float32Array.from(data, (code, i) => {
    const c = Math.floor(i / perChannel);
    return ofChannel(scales, c) * (code - ofChannel(zeroPoints, c));
  });
  return f32Tensor(isRow ? shape.slice(0, 2) : shape, reals);
}

function realBias({ bias, weight }: QuantConv, input: QuantValue): Tensor | undefined {
  if (bias === undefined) return undefined;
  const reals = Float32Array.from(bias, (b, c) => b * input.scale * ofChannel(weight.scales, c));
  return f32Tensor([bias.length], reals);
}

function ofChannel(values: Float32Array | Int32Array, c: number): number {
  return values[values.length === 1 ? 0 : c]!;
}
