// SPDX-License-Identifier: Apache-2.0
import { type GraphIndex, indexOf, substitute } from '../graph/edit.js';
import type { Node, PadNode, Pads, Window } from '../graph/graph.js';
import { isSpatial } from './expand-pads.js';
import type { Pass } from './pass.js';

/**
 * Moves a Pad of rows and columns into the convolution or pool behind it: zeros into a convolution
 * or an average that counts its padding, and into a maximum whatever cannot win against the values
 * that are there. A Pad that others read as well stays for them. Exact.
 */
export const foldPads: Pass = (graph) => {
  const index = indexOf(graph);
  const changes = new Map<Node, Node>();
  for (const node of graph.nodes) {
    const pad = index.producer(node.inputs[0] ?? '');
    if (pad?.op !== 'Pad' || !isSpatial(pad)) continue;
    const padded = absorb(index, node, pad);
    if (padded !== undefined) {
      changes.set(node, { ...padded, inputs: [pad.inputs[0]!, ...node.inputs.slice(1)] });
    }
  }
  return substitute(graph, changes);
};

function absorb(index: GraphIndex, node: Node, pad: PadNode): Node | undefined {
  if (node.op === 'Conv') {
    return pad.value === 0 ? { ...node, pads: sum(node.pads, pad) } : undefined;
  }
  if (node.op === 'AveragePool') {
    const counted = node.countIncludePad || node.pads.every((amount) => amount === 0);
    const pads = sum(node.pads, pad);
    if (pad.value !== 0 || !counted || !touchesImage(node, pads)) return undefined;
    return { ...node, pads, countIncludePad: true };
  }
  if (node.op === 'MaxPool') {
    const pads = sum(node.pads, pad);
    const loses = pad.value <= lowerBound(index, pad.inputs[0]!);
    return loses && touchesImage(node, pads) ? { ...node, pads } : undefined;
  }
  return undefined;
}

function sum([top, left, bottom, right]: Pads, { begin, end }: PadNode): Pads {
  return [top + begin[2]!, left + begin[3]!, bottom + end[2]!, right + end[3]!];
}

/** No window lies in the padding alone; runtimes refuse pools for which that is not so. */
function touchesImage({ kernel }: Window, pads: Pads): boolean {
  return Math.max(pads[0], pads[2]) < kernel[0] && Math.max(pads[1], pads[3]) < kernel[1];
}

/** What a value is known not to fall below. */
function lowerBound(index: GraphIndex, value: string): number {
  const node = index.producer(value);
  const clamp =
    node?.op === 'Clamp' || node?.op === 'Conv' || node?.op === 'Add' ? node.clamp : undefined;
  return clamp === undefined ? -Infinity : Math.min(...clamp.lo);
}
