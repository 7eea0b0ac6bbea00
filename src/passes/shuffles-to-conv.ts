// SPDX-License-Identifier: Apache-2.0
import { type GraphIndex, indexOf, namer, outputOf, rebuild } from '../graph/edit.js';
import type { Graph, Node, Shape, Tensor } from '../graph/graph.js';
import { selectChannels } from '../graph/select-channels.js';
import { elementCount, reshapeTensor, sameShape, transposeTensor } from '../graph/tensors.js';
import type { Pass } from './pass.js';

/** Larger values are not looked at: their indices alone would fill the memory. */
const maxElements = 2 ** 25;

/**
 * Writes reshapes and transposes that together only permute channels (the channel shuffle of
 * ShuffleNet: a reshape to five axes, a transpose, a reshape back) as a 1 x 1 convolution with
 * weights of one and zero. Exact: each channel is taken as it is.
 */
export const shufflesToConv: Pass = (graph) => {
  const index = indexOf(graph);
  const fresh = namer(graph);
  const constants: [string, Tensor][] = [];
  const ends = new Map<Node, readonly Node[]>();
  for (const node of graph.nodes) {
    const chain = chainTo(graph, index, node);
    const input = chain[0]?.inputs[0];
    if (input === undefined) continue;
    const shape = index.shape(input);
    const found = selectionOf(shape, chain);
    if (found === undefined) continue;
    const nodes = selectChannels({
      ...{ name: node.name, input, output: outputOf(node), shape, ...found, fresh },
      addConstant: (wanted, tensor) => {
        const name = fresh(wanted);
        constants.push([name, tensor]);
        return name;
      },
    });
    ends.set(node, nodes);
  }
  if (ends.size === 0) return graph;
  return rebuild(graph, {
    nodes: graph.nodes.flatMap((node) => ends.get(node) ?? node),
    constants,
  });
};

/** The moves that end in a node, one after the other, if they begin and end with a reshape around a transpose. */
function chainTo(graph: Graph, index: GraphIndex, end: Node): Node[] {
  if (end.op !== 'Reshape' || isMove(nextOf(index, end))) return [];
  const chain = [end as Node];
  for (;;) {
    const before = index.soleProducer(chain[0]!.inputs[0]!);
    if (!isMove(before)) break;
    chain.unshift(before);
  }
  // Transposes at the ends belong to the layout around, not to the shuffle.
  while (chain[0]?.op === 'Transpose') chain.shift();
  return chain.some(({ op }) => op === 'Transpose') ? chain : [];
}

function nextOf(index: GraphIndex, node: Node): Node | undefined {
  const next = index.soleConsumer(outputOf(node));
  return next?.op === 'Reshape' ? next : undefined;
}

function isMove(node: Node | undefined): node is Node {
  return node?.op === 'Reshape' || node?.op === 'Transpose';
}

/** Along which axis the chain permutes what; undefined where it does something else. */
function selectionOf(
  shape: Shape,
  chain: readonly Node[],
): { readonly axis: number; readonly picked: readonly number[] } | undefined {
  const count = elementCount(shape);
  if (shape.length !== 4 || shape[0] !== 1 || count > maxElements) return undefined;
  let places: Tensor = {
    dtype: 's32',
    shape,
    data: Int32Array.from({ length: count }, (_, i) => i),
  };
  for (const node of chain) {
    if (node.op === 'Reshape') places = reshapeTensor(places, node.shape);
    if (node.op === 'Transpose') places = transposeTensor(places, node.perm);
  }
  if (!sameShape(places.shape, shape)) return undefined;
  return [1, 3]
    .map((axis) => ({ axis, picked: pickedAlong(shape, axis, places.data) }))
    .find((one): one is { axis: number; picked: number[] } => one.picked !== undefined);
}

/** The positions along an axis that elements come from, if they move along it alone and all alike. */
function pickedAlong(shape: Shape, axis: number, from: Tensor['data']): number[] | undefined {
  const inner = elementCount(shape.slice(axis + 1));
  const size = shape[axis]!;
  const positionOf = (element: number): number => Math.floor(element / inner) % size;
  const picked = Array.from({ length: size }, (_, at) => positionOf(from[at * inner]!));
  if (picked.every((source, at) => source === at)) return undefined;
  for (let element = 0; element < from.length; element++) {
    const at = positionOf(element);
    if (from[element] !== element + (picked[at]! - at) * inner) return undefined;
  }
  return picked;
}
