// SPDX-License-Identifier: Apache-2.0
import { type GraphIndex, indexOf, rebuild } from '../graph/edit.js';
import type { Graph, Node, ValueInfo } from '../graph/graph.js';
import { keepsImageOrder } from '../graph/image-order.js';
import { withLeftOut } from '../graph/left-out.js';
import type { Pass } from './pass.js';

/**
 * Takes an output before the reshapes and transposes that only put an image in another order
 * (flattened feature maps, detection heads), and before the concatenation of what they made (the anchors of
 * several scales): they have no integer form, and whoever reads the output can do them at no cost. The
 * metadata says so, and which shapes the outputs have now.
 */
export const leaveOutOutputMoves: Pass = (graph) => {
  const index = indexOf(graph);
  const taken = new Set(graph.outputs.map(({ name }) => name));
  const sentences: string[] = [];
  const outputs = graph.outputs.flatMap((output): ValueInfo[] => {
    const before: Node[] = [];
    const sources = sourcesOf(graph, index, output.name, before);
    // An image that the network hands on as it came, or that is an output already, is no output.
    const fit = sources.every(
      (name, i) =>
        !taken.has(name) && index.producer(name) !== undefined && sources.indexOf(name) === i,
    );
    if (before.length === 0 || !fit) return [output];
    for (const name of sources) taken.add(name);
    const ops = before.reverse().map((node) => `${node.op} "${node.name}"`);
    const now = sources.map((name) => `"${name}" [${index.shape(name).join(', ')}]`);
    sentences.push(
      `output "${output.name}" [${output.shape.join(', ')}] is taken before ${ops.join(', ')}, ` +
        `as ${now.join(', ')}: reordering an image has no integer form`,
    );
    return sources.map((name) => ({ ...output, name, shape: index.shape(name) }));
  });
  if (sentences.length === 0) return graph;
  return rebuild({ ...graph, outputs }, { metadata: withLeftOut(graph.metadata, sentences) });
};

/** The values that a value is put together from by moves alone; the moves are added to `before`. */
function sourcesOf(graph: Graph, index: GraphIndex, name: string, before: Node[]): string[] {
  const node = index.producer(name);
  if (node === undefined) return [name];
  if (reorders(graph, node)) {
    before.push(node);
    return sourcesOf(graph, index, node.inputs[0]!, before);
  }
  if (node.op !== 'Concat') return [name];
  // A concatenation of channels stays, unless what it joins is in another order.
  const parts: Node[] = [node];
  const sources = node.inputs.flatMap((input) => sourcesOf(graph, index, input, parts));
  if (parts.length === 1 && node.axis === 1) return [name];
  before.push(...parts);
  return sources;
}

function reorders(graph: Graph, node: Node): boolean {
  if (node.op === 'Transpose') return true;
  if (node.op !== 'Reshape') return false;
  return !keepsImageOrder(graph.shapes.get(node.inputs[0]!)!, node.shape);
}
