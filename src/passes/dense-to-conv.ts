// SPDX-License-Identifier: Apache-2.0
import { type GraphIndex, indexOf, namer, outputOf, substitute } from '../graph/edit.js';
import type { ConvNode, GemmNode, Graph, Node, Tensor } from '../graph/graph.js';
import {
  broadcastTo,
  elementCount,
  f32Tensor,
  mapTensor,
  transposeTensor,
} from '../graph/tensors.js';
import type { Pass } from './pass.js';

/**
 * Writes fully connected layers (Gemm, MatMul with a constant) on one image as convolutions on
 * [1,K,1,1] between two reshapes. Where the layer reads a flattened image, the convolution reads
 * the image itself with a kernel of its size. Equal in real arithmetic; alpha and beta are folded
 * into the weights.
 */
export const denseToConv: Pass = (graph) => {
  const index = indexOf(graph);
  const fresh = namer(graph);
  const changes = new Map<Node, readonly Node[]>();
  const constants: [string, Tensor][] = [];
  for (const node of graph.nodes) {
    if (node.op !== 'Gemm' && node.op !== 'MatMul') continue;
    const layer = denseLayer(graph, index, node);
    if (layer === undefined) continue;
    const { name } = node;
    const output = outputOf(node);
    const image = imageBehind(graph, index, node.inputs[0]!, layer.weight);
    const weightName = fresh(`${name}/weight`);
    const biasName = layer.bias === undefined ? '' : fresh(`${name}/bias`);
    const [source, result] = [image.value ?? fresh(`${output}_in`), fresh(`${output}_out`)];
    constants.push([weightName, image.weight]);
    if (layer.bias !== undefined) constants.push([biasName, layer.bias]);
    const conv: ConvNode = {
      op: 'Conv',
      name,
      inputs: [source, weightName, biasName],
      outputs: [result],
      kernel: [image.weight.shape[2]!, image.weight.shape[3]!],
      strides: [1, 1],
      pads: [0, 0, 0, 0],
      dilations: [1, 1],
      group: 1,
    };
    const before =
      image.value === undefined
        ? [reshape(fresh(`${name}/in`), node.inputs[0]!, source, [1, layer.weight.shape[1]!, 1, 1])]
        : [];
    const after = reshape(fresh(`${name}/out`), result, output, index.shape(output));
    changes.set(node, [...before, conv, after]);
  }
  return substitute(graph, changes, constants);
};

function reshape(name: string, from: string, to: string, shape: readonly number[]): Node {
  return { op: 'Reshape', name, inputs: [from], outputs: [to], shape };
}

interface DenseLayer {
  /** [N,K] */
  readonly weight: Tensor;
  /** [N] */
  readonly bias: Tensor | undefined;
}

/** The layer's weights in one orientation, if it works on a single row. */
function denseLayer(graph: Graph, index: GraphIndex, node: Node): DenseLayer | undefined {
  const b = graph.constants.get(node.inputs[1] ?? '');
  const x = node.inputs[0]!;
  if (b?.shape.length !== 2 || graph.constants.has(x)) return undefined;
  const transposed = node.op === 'Gemm' && node.transB;
  const weight = transposed ? b : transposeTensor(b, [1, 0]);
  const [n, k] = weight.shape;
  const rows = elementCount(index.shape(outputOf(node))) / n!;
  if (rows !== 1 || elementCount(index.shape(x)) !== k) return undefined;
  if (node.op !== 'Gemm') return { weight, bias: undefined };
  return { weight: scaled(weight, node.alpha), bias: gemmBias(graph, node, n!) };
}

function gemmBias(graph: Graph, node: GemmNode, n: number): Tensor | undefined {
  const c = graph.constants.get(node.inputs[2] ?? '');
  if (c === undefined) return undefined;
  return { ...broadcastTo(scaled(c, node.beta), [1, n]), shape: [n] };
}

function scaled(tensor: Tensor, factor: number): Tensor {
  return factor === 1 ? tensor : mapTensor(tensor, (x) => x * factor);
}

/**
 * The image [1,C,H,W] that `value` flattens (perhaps in NHWC order), and the weights as a kernel
 * over it; or no image, and the weights as [N,K,1,1].
 */
function imageBehind(graph: Graph, index: GraphIndex, value: string, weight: Tensor) {
  const n = weight.shape[0]!;
  const flatten = index.producer(value);
  const from = flatten?.op === 'Reshape' ? flatten.inputs[0]! : undefined;
  if (from !== undefined && !graph.constants.has(from)) {
    const transpose = index.producer(from);
    const perm = transpose?.op === 'Transpose' ? transpose.perm : [0, 1, 2, 3];
    const image = transpose?.op === 'Transpose' ? transpose.inputs[0]! : from;
    const shape = index.shape(image);
    if (shape.length === 4 && shape[0] === 1 && perm[0] === 0) {
      const rows = f32Tensor([n, ...index.shape(from).slice(1)], weight.data);
      const back = [0, 1, 2, 3].map((axis) => perm.indexOf(axis));
      return { value: image, weight: transposeTensor(rows, back) };
    }
  }
  return { value: undefined, weight: { ...weight, shape: [n, weight.shape[1]!, 1, 1] } };
}
