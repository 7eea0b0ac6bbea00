// SPDX-License-Identifier: Apache-2.0
import { ModelError } from '../errors.js';
import { shapeIn } from '../graph/edit.js';
import type { Graph, Node, PadNode, ReshapeNode } from '../graph/graph.js';
import { imageOf, keepsImageOrder } from '../graph/image-order.js';
import { sameShape } from '../graph/tensors.js';
import type { Pass } from './pass.js';

/**
 * Changes nothing; makes sure that what is left is what a quantizer understands: one input
 * [1,C,H,W], and per node an operator and a use of it that has an integer form.
 *
 * @throws ModelError `unsupported-graph` with every node that is left over; `unsupported-input`
 */
export const checkCanonical: Pass = (graph) => {
  checkInput(graph);
  const left = graph.nodes
    .map((node) => ({ node, reason: reasonAgainst(graph, node) }))
    .filter(({ reason }) => reason !== undefined);
  if (left.length === 0) return graph;
  const list = left.map(({ node, reason }) => `"${node.name}" (${node.op}): ${reason!}`).join('; ');
  const where = left.length === 1 ? `node "${left[0]!.node.name}"` : `${left.length} nodes`;
  throw new ModelError(
    'unsupported-graph',
    where,
    `no integer form for ${list}; replace ${left.length === 1 ? 'it' : 'them'}, or cut the model before`,
  );
};

function checkInput(graph: Graph): void {
  const inputs = graph.inputs.map(({ name, shape }) => `"${name}" [${shape.join()}]`).join(', ');
  const [input] = graph.inputs;
  if (graph.inputs.length === 1 && input!.shape.length === 4 && input!.shape[0] === 1) return;
  throw new ModelError(
    'unsupported-input',
    'graph inputs',
    `expected one image input [1,C,H,W], got ${inputs === '' ? 'none' : inputs}`,
  );
}

/** Why a node has no integer form; undefined if it has one. */
function reasonAgainst(graph: Graph, node: Node): string | undefined {
  const shape = (i: number) => shapeIn(graph, node.inputs[i]!);
  const constants = node.inputs.filter((name) => graph.constants.has(name)).length;
  switch (node.op) {
    case 'Conv':
      return graph.constants.has(node.inputs[1]!) ? undefined : 'its weights are computed';
    case 'Add':
      if (constants > 0) return 'it adds a constant that differs from place to place';
      return sameShape(shape(0), shape(1)) ? undefined : 'its inputs differ in shape';
    case 'Mul': {
      if (constants > 0) return 'it multiplies by a constant that differs from place to place';
      const output = shapeIn(graph, node.outputs[0]!);
      const gates = [shape(0), shape(1)].some((each) => sameShape(each, output));
      return gates ? undefined : 'neither input has the shape of the output';
    }
    case 'Concat':
      if (constants > 0) return 'it joins a constant';
      return node.axis === 1 ? undefined : `it joins along axis ${node.axis}, not channels`;
    case 'Pad':
      if (node.value !== 0) return `it pads with ${node.value}`;
      return padsImage(node) ? undefined : 'it pads something else than rows and columns';
    case 'Softmax': {
      const x = shape(0);
      return x.every((size, axis) => axis === 1 || size === 1) && node.axis === 1
        ? undefined
        : 'it is not over the channels of a [1,C] or [1,C,1,1] tensor';
    }
    case 'Reshape':
      return reorderReason(graph, node);
    case 'Transpose':
      return `it reorders an image, [${shape(0).join()}] by [${node.perm.join()}]`;
    case 'MaxPool':
      return node.dilations.every((dilation) => dilation === 1)
        ? undefined
        : `it has dilations ${node.dilations.join()}`;
    case 'Clamp':
    case 'AveragePool':
    case 'GlobalAveragePool':
    case 'Resize':
    case 'HardSwish':
    case 'HardSigmoid':
    case 'Sigmoid':
    case 'Gelu':
      return undefined;
    case 'BatchNorm':
    case 'Gemm':
    case 'MatMul':
    case 'ReduceMean':
    case 'Sub':
    case 'Div':
    case 'Identity':
      return 'it could not be expressed by convolutions, additions and pools';
  }
}

/** A reshape keeps an image, or flattens it for layers that can take the image itself. */
function reorderReason(graph: Graph, node: ReshapeNode): string | undefined {
  const from = shapeIn(graph, node.inputs[0]!);
  const flat = imageOf(node.shape);
  if (keepsImageOrder(from, node.shape)) return undefined;
  const flattens = imageOf(from) !== undefined && flat?.height === 1 && flat.width === 1;
  const output = node.outputs[0]!;
  const readers = graph.nodes.filter(({ inputs }) => inputs.includes(output));
  const isOutput = graph.outputs.some(({ name }) => name === output);
  if (flattens && !isOutput && readers.every((reader) => takesImage(reader))) return undefined;
  return `it reorders an image, [${from.join()}] to [${node.shape.join()}]`;
}

function takesImage(reader: Node): boolean {
  if (reader.op === 'Reshape') return true;
  return reader.op === 'Conv' && reader.kernel[0] * reader.kernel[1] === 1 && reader.group === 1;
}

function padsImage({ begin, end }: PadNode): boolean {
  const others = [...begin.slice(0, 2), ...end.slice(0, 2)];
  return begin.length === 4 && others.every((amount) => amount === 0);
}
