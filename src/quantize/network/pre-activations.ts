// SPDX-License-Identifier: Apache-2.0
import type { ConvNode, Graph, Node } from '../../graph/graph.js';

/** The value of a convolution's output before its clamp, in the graph of `exposePreActivations`. */
export function preActivationOf(conv: ConvNode): string {
  return conv.clamp === undefined ? conv.outputs[0]! : `${conv.name}/pre-activation`;
}

/** The same network with the clamps of convolutions as nodes of their own, so that the sums before them can be read. */
export function exposePreActivations(graph: Graph): Graph {
  const shapes = new Map(graph.shapes);
  const nodes = graph.nodes.flatMap((node): Node[] => {
    if (node.op !== 'Conv' || node.clamp === undefined) return [node];
    const { clamp, ...conv } = node;
    const sum = preActivationOf(node);
    const [output] = node.outputs;
    shapes.set(sum, graph.shapes.get(output!)!);
    return [
      { ...conv, outputs: [sum] },
      { op: 'Clamp', name: `${node.name}/clamp`, inputs: [sum], outputs: [output!], clamp },
    ];
  });
  return { ...graph, nodes, shapes };
}
