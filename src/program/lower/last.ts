// SPDX-License-Identifier: Apache-2.0
import type { QuantGraph } from '../../graph/quant-graph.js';

/**
 * Whether only reshapes stand between a value and the network's output.
 * @param orSoftmax whether a softmax may, too
 */
export function isLast(graph: QuantGraph, name: string, orSoftmax = false): boolean {
  const readers = graph.nodes.filter((node) => node.inputs.includes(name));
  if (readers.length === 0) return graph.outputs.includes(name);
  return readers.every(
    ({ op, output }) =>
      (op === 'Reshape' || (orSoftmax && op === 'Softmax')) && isLast(graph, output, orSoftmax),
  );
}
