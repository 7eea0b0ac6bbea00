// SPDX-License-Identifier: Apache-2.0
// What running a network takes, from its shapes alone: a node of a few bytes can ask for any size.
import type { Budget } from '../limits/budget.js';
import type { Graph, Node, Shape } from './graph.js';
import type { QuantGraph, QuantNode } from './quant-graph.js';
import { elementCount } from './tensors.js';

const floatBytes = 4;
/** Codes, and beside them the accumulators that become codes. */
const codeBytes = 4;

/**
 * Takes the values of a float graph and the steps of one inference.
 * @throws LimitError `too-much-memory`, `too-much-work`
 */
export function takeGraph(budget: Budget, graph: Graph): void {
  for (const { name, shape } of graph.inputs) {
    budget.takeMemory(floatBytes * elementCount(shape), `input "${name}"`, 'its values');
  }
  for (const node of graph.nodes) {
    const output = graph.shapes.get(node.outputs[0]!) ?? [];
    const where = `node "${node.name}"`;
    const reads = paddedBy(node, graph.shapes.get(node.inputs[0]!) ?? []);
    budget.takeMemory(floatBytes * (elementCount(output) + reads), where, 'its values');
    const shapeOf = (i: number): Shape =>
      graph.constants.get(node.inputs[i]!)?.shape ?? graph.shapes.get(node.inputs[i]!) ?? [];
    budget.takeSteps(elementCount(output) * stepsEach(node, shapeOf), where);
  }
}

/**
 * Takes the values of a quantized graph and the steps of one inference.
 * @throws LimitError `too-much-memory`, `too-much-work`
 */
export function takeQuantGraph(budget: Budget, graph: QuantGraph): void {
  const shapeOf = (name: string): Shape => graph.values.get(name)?.shape ?? [];
  const input = elementCount(shapeOf(graph.input));
  budget.takeMemory(codeBytes * input, `input "${graph.input}"`, 'its codes');
  for (const node of graph.nodes) {
    const count = elementCount(shapeOf(node.output));
    const where = `layer "${node.name}"`;
    const reads = paddedBy(node, shapeOf(node.inputs[0]!));
    budget.takeMemory(codeBytes * (count + reads), where, 'its codes');
    budget.takeSteps(count * stepsEachCode(node), where);
  }
}

/** Elements of the input with its margins, where there are any. */
function paddedBy(node: Node | QuantNode, shape: Shape): number {
  if (!('pads' in node) || shape.length !== 4) return 0;
  const [top, left, bottom, right] = node.pads;
  return shape[1]! * (shape[2]! + top + bottom) * (shape[3]! + left + right);
}

/** Of one element of the output. */
function stepsEach(node: Node, shapeOf: (input: number) => Shape): number {
  const { op } = node;
  if (op === 'Conv') return Math.max(1, elementCount(shapeOf(1).slice(1)));
  if (op === 'Gemm' || op === 'MatMul') return Math.max(1, elementCount(shapeOf(0).slice(-1)));
  return op === 'AveragePool' || op === 'MaxPool' ? node.kernel[0] * node.kernel[1] : 1;
}

function stepsEachCode(node: QuantNode): number {
  if (node.op === 'Conv') return Math.max(1, elementCount(node.weight.shape.slice(1)));
  const pools = node.op === 'AveragePool' || node.op === 'MaxPool';
  return pools ? node.kernel[0] * node.kernel[1] : 1;
}
