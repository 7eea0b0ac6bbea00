// SPDX-License-Identifier: Apache-2.0
import { indexOf, namer, outputOf, substitute } from '../graph/edit.js';
import type { Node } from '../graph/graph.js';
import { elementCount } from '../graph/tensors.js';
import type { Pass } from './pass.js';

/**
 * Writes every mean over the whole image as GlobalAveragePool: ReduceMean over H and W (with a
 * reshape where it drops them) and an AveragePool whose window is the image. Equal in real
 * arithmetic; the order of summation may differ.
 */
export const poolsToGlobal: Pass = (graph) => {
  const index = indexOf(graph);
  const fresh = namer(graph);
  const changes = new Map<Node, readonly Node[]>();
  for (const node of graph.nodes) {
    const x = node.inputs[0] ?? '';
    const output = outputOf(node);
    const global = isGlobalMean(node, x === '' ? [] : index.shape(x));
    if (!global) continue;
    const { name } = node;
    if (index.shape(output).length === 4) {
      changes.set(node, [{ op: 'GlobalAveragePool', name, inputs: [x], outputs: [output] }]);
      continue;
    }
    const pooled = fresh(`${output}_pooled`);
    const shape = index.shape(output);
    changes.set(node, [
      { op: 'GlobalAveragePool', name, inputs: [x], outputs: [pooled] },
      { op: 'Reshape', name: fresh(`${name}/shape`), inputs: [pooled], outputs: [output], shape },
    ]);
  }
  return substitute(graph, changes);
};

function isGlobalMean(node: Node, x: readonly number[]): boolean {
  if (x.length !== 4) return false;
  if (node.op === 'ReduceMean') {
    // The batch is 1: a mean that also runs over it is the same.
    const axes = node.axes.filter((axis) => x[axis] !== 1);
    const spatial = [2, 3].filter((axis) => x[axis] !== 1);
    return axes.join() === spatial.join() && !node.axes.includes(1);
  }
  if (node.op !== 'AveragePool') return false;
  const whole = node.kernel[0] === x[2] && node.kernel[1] === x[3];
  return whole && node.pads.every((pad) => pad === 0) && elementCount(x) > 0;
}
