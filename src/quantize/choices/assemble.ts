// SPDX-License-Identifier: Apache-2.0
import { ModelError } from '../../errors.js';
import { resizingOf } from '../../graph/resizing.js';
import type { Clamp, ConvNode, Graph, Node, PadNode } from '../../graph/graph.js';
import type {
  QuantConv,
  QuantGraph,
  QuantNode,
  QuantValue,
  QuantWeight,
} from '../../graph/quant-graph.js';
import type { Quantization } from '../codes/scales.js';
import { shapeOf } from '../network/connections.js';

/** Integer parameters of one convolution. */
export interface QuantizedLayer {
  readonly weight: QuantWeight;
  readonly bias: Int32Array;
}

/**
 * Puts the choices together into a quantized graph.
 *
 * @param activations by value name, one for every value the nodes read or write
 * @param layers by convolution name
 * @throws ModelError naming a node that has no integer form
 */
export function assemble(
  graph: Graph,
  activations: ReadonlyMap<string, Quantization>,
  layers: ReadonlyMap<string, QuantizedLayer>,
): QuantGraph {
  const values = new Map<string, QuantValue>();
  for (const [name, quantization] of activations) {
    values.set(name, { name, shape: shapeOf(graph, name), ...quantization });
  }
  return {
    name: graph.name,
    input: graph.inputs[0]!.name,
    outputs: graph.outputs.map((output) => output.name),
    values,
    nodes: graph.nodes.map((node) => quantNode(graph, node, layers)),
    metadata: {},
    origin: 'lastbit',
  };
}

function quantNode(
  graph: Graph,
  node: Node,
  layers: ReadonlyMap<string, QuantizedLayer>,
): QuantNode {
  const base = { name: node.name, inputs: node.inputs, output: node.outputs[0]! };
  switch (node.op) {
    case 'Conv':
      return quantConv(node, layers.get(node.name)!);
    case 'Add':
      return { ...base, op: 'Add', ...withClamp(node.clamp) };
    case 'Mul':
      return { ...base, op: 'Mul' };
    // A change of quantization alone.
    case 'Identity':
      return { ...base, op: 'Requantize' };
    case 'Clamp':
      return {
        ...base,
        op: 'Requantize',
        inputs: node.inputs.slice(0, 1),
        ...withClamp(node.clamp),
      };
    case 'AveragePool':
      return {
        ...base,
        ...windowOf(node),
        op: 'AveragePool',
        countIncludePad: node.countIncludePad,
      };
    case 'MaxPool':
      return { ...base, ...windowOf(node), op: 'MaxPool', countIncludePad: false };
    case 'GlobalAveragePool':
    case 'Sigmoid':
      return { ...base, op: node.op };
    case 'Gelu':
      return { ...base, op: 'Gelu', ...(node.approximate ? { approximate: true } : {}) };
    case 'Concat':
      requireAxis(node, node.axis, 'Concat');
      return { ...base, op: 'Concat' };
    case 'Pad':
      return { ...base, op: 'Pad', inputs: node.inputs.slice(0, 1), pads: spatialPads(node) };
    case 'Resize':
      return { ...base, op: 'Resize', ...resizingOf(node) };
    case 'Reshape':
      return { ...base, op: 'Reshape', inputs: node.inputs.slice(0, 1) };
    case 'Softmax':
      requireAxis(node, node.axis, 'Softmax');
      requireSoftmaxShape(graph, node);
      return { ...base, op: 'Softmax', beta: 1 };
    case 'HardSigmoid':
    case 'HardSwish':
      return { ...base, op: node.op, alpha: node.alpha, beta: node.beta };
    case 'BatchNorm':
    case 'Div':
    case 'Gemm':
    case 'MatMul':
    case 'ReduceMean':
    case 'Sub':
    case 'Transpose':
      throw new ModelError(
        'unsupported-op',
        `node "${node.name}"`,
        `${node.op} has no integer form; lastbit inspect lists all such nodes`,
      );
  }
}

function quantConv(node: ConvNode, layer: QuantizedLayer): QuantConv {
  return {
    op: 'Conv',
    name: node.name,
    inputs: node.inputs.slice(0, 1),
    output: node.outputs[0]!,
    ...windowOf(node),
    dilations: node.dilations,
    group: node.group,
    weight: layer.weight,
    bias: layer.bias,
    fullyConnected: false,
    ...withClamp(node.clamp),
  };
}

/** A clamp that is the same in all channels becomes one for the tensor. */
function withClamp(clamp: Clamp | undefined): { clamp?: Clamp } {
  if (clamp === undefined) return {};
  return { clamp: { lo: collapse(clamp.lo), hi: collapse(clamp.hi) } };
}

function collapse(bounds: Float32Array): Float32Array {
  return bounds.every((bound) => bound === bounds[0]) ? bounds.slice(0, 1) : bounds;
}

function windowOf(node: Pick<ConvNode, 'kernel' | 'strides' | 'pads'>): {
  kernel: ConvNode['kernel'];
  strides: ConvNode['strides'];
  pads: ConvNode['pads'];
} {
  return { kernel: node.kernel, strides: node.strides, pads: node.pads };
}

function requireAxis(node: Node, axis: number, op: string): void {
  if (axis === 1) return;
  throw new ModelError(
    'unsupported-axis',
    `node "${node.name}"`,
    `${op} along axis ${axis}: only channels (axis 1) have an integer form`,
  );
}

function requireSoftmaxShape(graph: Graph, node: Node): void {
  const shape = shapeOf(graph, node.inputs[0]!);
  if (shape.length === 2 || shape.length === 4) return;
  throw new ModelError(
    'unsupported-shape',
    `node "${node.name}"`,
    `Softmax over a tensor of ${shape.length} dimensions; expected [1, C] or [1, C, H, W]`,
  );
}

function spatialPads(node: PadNode): [number, number, number, number] {
  const [n = 0, c = 0, top = 0, left = 0] = node.begin;
  const [nEnd = 0, cEnd = 0, bottom = 0, right = 0] = node.end;
  if (node.begin.length === 4 && n + c + nEnd + cEnd === 0 && node.value === 0) {
    return [top, left, bottom, right];
  }
  throw new ModelError(
    'unsupported-pad',
    `node "${node.name}"`,
    `pads ${node.begin.join(',')} / ${node.end.join(',')} with ${node.value}: ` +
      'only zeros around height and width have an integer form',
  );
}
