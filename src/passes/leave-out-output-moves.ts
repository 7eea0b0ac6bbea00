// SPDX-License-Identifier: Apache-2.0
import { indexOf, rebuild } from '../graph/edit.js';
import type { Graph, Node, ValueInfo } from '../graph/graph.js';
import { keepsImageOrder } from '../graph/image-order.js';
import { withLeftOut } from '../graph/left-out.js';
import type { Pass } from './pass.js';

/**
 * Takes an output before the reshapes and transposes that only put an image in another order
 * (flattened feature maps, detection heads): they have no integer form, and whoever reads the output
 * can do them at no cost. The metadata says so, and which shape the output has now.
 */
export const leaveOutOutputMoves: Pass = (graph) => {
  const index = indexOf(graph);
  const taken = new Set(graph.outputs.map(({ name }) => name));
  const sentences: string[] = [];
  const outputs = graph.outputs.map((output): ValueInfo => {
    const chain: Node[] = [];
    let { name } = output;
    for (;;) {
      const node = index.producer(name);
      if (node === undefined || !reorders(graph, node)) break;
      chain.push(node);
      name = node.inputs[0]!;
    }
    // An image that the network hands on as it came, or that is an output already, is no output.
    if (chain.length === 0 || taken.has(name) || index.producer(name) === undefined) return output;
    taken.add(name);
    const shape = index.shape(name);
    const ops = chain.reverse().map((node) => `${node.op} "${node.name}"`);
    sentences.push(
      `output "${output.name}" [${output.shape.join(', ')}] is taken before ${ops.join(', ')}, ` +
        `as "${name}" [${shape.join(', ')}]: reordering an image has no integer form`,
    );
    return { ...output, name, shape };
  });
  if (sentences.length === 0) return graph;
  return rebuild({ ...graph, outputs }, { metadata: withLeftOut(graph.metadata, sentences) });
};

function reorders(graph: Graph, node: Node): boolean {
  if (node.op === 'Transpose') return true;
  if (node.op !== 'Reshape') return false;
  return !keepsImageOrder(graph.shapes.get(node.inputs[0]!)!, node.shape);
}
