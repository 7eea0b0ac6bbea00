// SPDX-License-Identifier: Apache-2.0
import { isOpenClamp, mergeClamps } from '../graph/clamps.js';
import { indexOf, outputOf, rebuild } from '../graph/edit.js';
import type { AddNode, ClampNode, ConvNode, Node } from '../graph/graph.js';
import type { Pass } from './pass.js';

/**
 * Merges each clamp (Relu, Relu6, Clip) into the convolution, addition or clamp that feeds it and
 * nothing else. Exact.
 */
export const fuseClamps: Pass = (graph) => {
  const index = indexOf(graph);
  /** By output value: the node that now makes it, and the node of the graph that this one was. */
  const makers = new Map<string, Maker>();
  const replaced = new Map<Node, Node | undefined>();
  for (const node of graph.nodes) {
    if (node.op !== 'Conv' && node.op !== 'Add' && node.op !== 'Clamp') continue;
    makers.set(outputOf(node), { node, head: node });
    if (node.op !== 'Clamp') continue;
    const [input] = node.inputs;
    const found = makers.get(input!);
    if (found === undefined || index.soleConsumer(input!) !== node) continue;
    const { node: maker, head } = found;
    const clamp = maker.clamp === undefined ? node.clamp : mergeClamps(maker.clamp, node.clamp);
    // The maker's name stays the layer's name; it now makes the clamp's value.
    const joined = { ...maker, clamp, outputs: node.outputs };
    makers.set(outputOf(node), { node: joined, head });
    replaced.set(head, joined);
    replaced.set(node, undefined);
  }
  if (replaced.size === 0) return graph;
  const nodes = graph.nodes.flatMap((node) =>
    replaced.has(node) ? (replaced.get(node) ?? []) : node,
  );
  return rebuild(graph, { nodes: nodes.map(withoutOpenClamp) });
};

interface Maker {
  readonly node: ConvNode | AddNode | ClampNode;
  readonly head: Node;
}

function withoutOpenClamp(node: Node): Node {
  if ((node.op !== 'Conv' && node.op !== 'Add') || node.clamp === undefined) return node;
  if (!isOpenClamp(node.clamp)) return node;
  const open = { ...node };
  delete open.clamp;
  return open;
}
