// SPDX-License-Identifier: Apache-2.0
// What the operators of a .tflite file that lastbit wrote cannot say: names of layers, clamps that
// its activations stand for, and PADs that are a layer's own padding.
import { type FileFacts, withMarks } from '../graph/file-facts.js';
import type {
  QuantConv,
  QuantGraph,
  QuantNode,
  QuantPad,
  QuantPool,
} from '../graph/quant-graph.js';

/** The graph as it was written. Without facts it stays as it is. */
export function restoreFacts(graph: QuantGraph, facts: FileFacts): QuantGraph {
  const named = graph.nodes.map((node) => restoreNode(node, facts));
  return foldPaddings({ ...graph, nodes: named }, facts.paddings);
}

function restoreNode(node: QuantNode, facts: FileFacts): QuantNode {
  const name = facts.layerNames.get(node.output) ?? node.name;
  const clamp = mayClamp(node) ? facts.clamps.get(name) : undefined;
  const bits = node.op === 'Conv' ? facts.weightBits.get(name) : undefined;
  const restored = {
    ...node,
    name,
    ...(clamp === undefined ? {} : { clamp }),
    ...(bits === undefined ? {} : { weight: { ...(node as QuantConv).weight, bits } }),
  } as QuantNode;
  return withMarks(restored, facts.marks);
}

function mayClamp({ op }: QuantNode): boolean {
  const never: readonly QuantNode['op'][] = [
    'GlobalAveragePool',
    'Concat',
    'Pad',
    'Reshape',
    'Softmax',
  ];
  return !never.includes(op);
}

/** Gives the pads of the listed Pad layers to the convolutions and pools that read them. */
function foldPaddings(graph: QuantGraph, paddings: FileFacts['paddings']): QuantGraph {
  const folded = new Map<string, QuantPad>();
  for (const node of graph.nodes) {
    if (node.op !== 'Pad' || !paddings.has(node.output)) continue;
    if (isFoldable(graph, node)) folded.set(node.output, node);
  }
  if (folded.size === 0) return graph;
  const nodes = graph.nodes
    .filter(({ output }) => !folded.has(output))
    .map((node) => {
      const pad = folded.get(node.inputs[0]!);
      if (pad === undefined) return node;
      return { ...(node as QuantConv | QuantPool), inputs: pad.inputs, pads: pad.pads };
    });
  const values = new Map([...graph.values].filter(([name]) => !folded.has(name)));
  return { ...graph, nodes, values };
}

/** Whether the only reader of a padded value is a convolution or pool that pads nothing itself. */
function isFoldable({ nodes, outputs }: QuantGraph, { output }: QuantPad): boolean {
  const readers = nodes.filter(({ inputs }) => inputs.includes(output));
  const [reader] = readers;
  if (readers.length !== 1 || reader === undefined || outputs.includes(output)) return false;
  const isWindow = reader.op === 'Conv' || reader.op === 'MaxPool';
  return isWindow && reader.pads.every((pad) => pad === 0);
}
