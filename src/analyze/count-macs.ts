// SPDX-License-Identifier: Apache-2.0
import type { Graph, Node, Shape } from '../graph/graph.js';
import type { QuantGraph } from '../graph/quant-graph.js';
import type { Op, Program } from '../program/program.js';

/** The size of a network. */
export interface NetworkSize {
  /** Convolutions and fully connected layers. */
  readonly layers: number;
  /** Multiply-accumulates of these for one image. */
  readonly macs: number;
  /** Weights and biases of these. */
  readonly params: number;
}

/** Counts a float graph, folded or not. */
export function sizeOfGraph(graph: Graph): NetworkSize {
  return add(graph.nodes.map((node) => sizeOfNode(graph, node)));
}

/** Counts a quantized graph. */
export function sizeOfQuantGraph(graph: QuantGraph): NetworkSize {
  return add(
    graph.nodes.map((node) => {
      if (node.op !== 'Conv') return none;
      const { shape, data } = node.weight;
      const area = pixels(graph.values.get(node.output)!.shape);
      return layer(product(shape) * area, data.length + (node.bias?.length ?? 0));
    }),
  );
}

/** Counts an integer program. */
export function sizeOfProgram(program: Program): NetworkSize {
  return add(program.ops.map((op) => sizeOfOp(program, op)));
}

const none: NetworkSize = { layers: 0, macs: 0, params: 0 };

function sizeOfNode(graph: Graph, node: Node): NetworkSize {
  if (node.op !== 'Conv' && node.op !== 'Gemm' && node.op !== 'MatMul') return none;
  const weight = graph.constants.get(node.inputs[1]!);
  if (!weight) return none;
  const bias = graph.constants.get(node.inputs[2] ?? '');
  const area = node.op === 'Conv' ? pixels(graph.shapes.get(node.outputs[0]!) ?? []) : 1;
  return layer(product(weight.shape) * area, weight.data.length + (bias?.data.length ?? 0));
}

/** Of one operation. */
export function sizeOfOp(program: Program, op: Op): NetworkSize {
  if (op.op !== 'conv') return none;
  const { height, width } = program.tensors[op.output]!;
  return layer(op.weights.length * height * width, op.weights.length + op.bias.length);
}

function layer(macs: number, params: number): NetworkSize {
  return { layers: 1, macs, params };
}

/** Rows times columns of [1, C, H, W]. */
function pixels(shape: Shape): number {
  return product(shape.slice(2));
}

function product(shape: Shape): number {
  return shape.reduce((a, b) => a * b, 1);
}

function add(sizes: readonly NetworkSize[]): NetworkSize {
  return sizes.reduce(
    (a, b) => ({
      layers: a.layers + b.layers,
      macs: a.macs + b.macs,
      params: a.params + b.params,
    }),
    none,
  );
}
