// SPDX-License-Identifier: Apache-2.0
import { isScalarClamp } from '../graph/clamps.js';
import { outputOf, rebuild } from '../graph/edit.js';
import type { Clamp, Node, Tensor } from '../graph/graph.js';
import { combine, mapTensor, reshapeTensor, transposeTensor } from '../graph/tensors.js';
import type { Pass } from './pass.js';
import { gelu } from '../numeric/gelu.js';

/**
 * Computes nodes whose inputs are all constant. Equal up to the rounding of float32 arithmetic,
 * which here happens once per node.
 */
export const foldConstants: Pass = (graph) => {
  const outputs = new Set(graph.outputs.map((output) => output.name));
  const constants = new Map(graph.constants);
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((name) => constants.get(name));
    const known = inputs.filter((input) => input !== undefined);
    const folded =
      known.length === node.inputs.length && !outputs.has(outputOf(node))
        ? evaluate(node, known)
        : undefined;
    if (folded === undefined) nodes.push(node);
    else constants.set(outputOf(node), folded);
  }
  return nodes.length === graph.nodes.length ? graph : rebuild(graph, { nodes, constants });
};

function evaluate(node: Node, inputs: readonly Tensor[]): Tensor | undefined {
  const [a, b] = inputs;
  switch (node.op) {
    case 'Identity':
      return a;
    case 'Reshape':
      return reshapeTensor(a!, node.shape);
    case 'Transpose':
      return transposeTensor(a!, node.perm);
    case 'Add': {
      const sum = combine(a!, b!, (x, y) => x + y);
      return node.clamp === undefined || sum === undefined ? sum : undefined;
    }
    case 'Sub':
      return combine(a!, b!, (x, y) => x - y);
    case 'Mul':
      return combine(a!, b!, (x, y) => x * y);
    case 'Div':
      return combine(a!, b!, (x, y) => x / y);
    case 'Clamp':
      return isScalarClamp(node.clamp) ? clampTensor(a!, node.clamp) : undefined;
    case 'Sigmoid':
      return mapTensor(a!, (x) => 1 / (1 + Math.exp(-x)));
    case 'Gelu':
      return mapTensor(a!, (x) => gelu(x, node.approximate));
    case 'HardSigmoid':
      return mapTensor(a!, (x) => ramp(x, node.alpha, node.beta));
    case 'HardSwish':
      return mapTensor(a!, (x) => x * ramp(x, node.alpha, node.beta));
    case 'Conv':
    case 'BatchNorm':
    case 'Gemm':
    case 'AveragePool':
    case 'MaxPool':
    case 'GlobalAveragePool':
    case 'Concat':
    case 'Pad':
    case 'Resize':
    case 'Softmax':
    case 'ReduceMean':
    case 'MatMul':
      // Convolutions and pools of constants do not occur; they stay as they are.
      return undefined;
  }
}

function ramp(x: number, alpha: number, beta: number): number {
  return Math.max(0, Math.min(1, alpha * x + beta));
}

function clampTensor(tensor: Tensor, { lo, hi }: Clamp): Tensor {
  return mapTensor(tensor, (x) => Math.min(Math.max(x, lo[0]!), hi[0]!));
}
