// SPDX-License-Identifier: Apache-2.0
import type { Graph } from '../../graph/graph.js';
import { connectionsOf } from './connections.js';

/** The network's scores: its output, or what a final softmax makes it from, which says more of wrong classes. */
export function scoresOf(graph: Graph): string {
  const { producers } = connectionsOf(graph);
  let name = graph.outputs[0]!.name;
  for (;;) {
    const node = producers.get(name);
    if (node?.op !== 'Softmax' && node?.op !== 'Reshape' && node?.op !== 'Identity') return name;
    name = node.inputs[0]!;
  }
}
