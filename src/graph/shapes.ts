// SPDX-License-Identifier: Apache-2.0
// Shape inference: the shape of a node's output from those of its inputs. Called by the importers
// and again whenever a pass has changed the graph, so that a wrong rewrite is caught at once.
import { ModelError } from '../errors.js';
import type { ConcatNode, ConvNode, GemmNode, Node, Pads, Pair, Shape, Window } from './graph.js';
import { broadcastShape, elementCount, sameShape } from './tensors.js';

/** Output size of a sliding window along one dimension (ONNX, floor form). */
export function windowSize(
  size: number,
  kernel: number,
  stride: number,
  before: number,
  after: number,
  dilation = 1,
): number {
  return Math.floor((size + before + after - dilation * (kernel - 1) - 1) / stride) + 1;
}

/**
 * The shape of the node's (single) output.
 *
 * @param shapeOf the shape of any value or constant
 * @throws ModelError `bad-shape` when the inputs do not fit the operator
 */
export function inferShape(node: Node, shapeOf: (value: string) => Shape): Shape {
  const x = shapeOf(node.inputs[0]!);
  const second = () => shapeOf(node.inputs[1]!);
  switch (node.op) {
    case 'Conv':
      return convShape(node, x, second());
    case 'AveragePool':
      return imageShape(node, x, x[1]!, windowOutput(x, node, [1, 1]));
    case 'MaxPool':
      return imageShape(node, x, x[1]!, windowOutput(x, node, node.dilations));
    case 'GlobalAveragePool':
      return imageShape(node, x, x[1]!, [1, 1]);
    case 'Gemm':
      return gemmShape(node, x, second());
    case 'MatMul':
      return matMulShape(node, x, second());
    case 'Add':
    case 'Sub':
    case 'Mul':
    case 'Div':
      return broadcastShape(x, second()) ?? refuse(node, `cannot join ${text(x, second())}`);
    case 'Concat':
      return concatShape(node, node.inputs.map(shapeOf));
    case 'Pad':
      if (node.begin.length !== x.length) refuse(node, `cannot pad ${text(x)}`);
      return positive(
        node,
        x.map((size, i) => size + node.begin[i]! + node.end[i]!),
      );
    case 'Resize':
      return imageShape(node, x, x[1]!, node.size);
    case 'Reshape':
      if (elementCount(node.shape) !== elementCount(x)) {
        refuse(node, `cannot reshape ${text(x, node.shape)}`);
      }
      return node.shape;
    case 'Transpose':
      if (!sameShape([...node.perm].sort(), [...x.keys()])) {
        refuse(node, `cannot permute ${text(x)} by [${node.perm.join()}]`);
      }
      return node.perm.map((axis) => x[axis]!);
    case 'ReduceMean':
      return x
        .map((size, axis) => (node.axes.includes(axis) ? 1 : size))
        .filter((_, axis) => node.keepDims || !node.axes.includes(axis));
    case 'BatchNorm':
      if (node.inputs.slice(1).some((name) => elementCount(shapeOf(name)) !== x[1])) {
        refuse(node, `expected ${x[1]} values per parameter for an input of ${text(x)}`);
      }
      return x;
    case 'Softmax':
      if (node.axis < 0 || node.axis >= x.length)
        refuse(node, `no axis ${node.axis} in ${text(x)}`);
      return x;
    case 'Clamp':
    case 'HardSigmoid':
    case 'HardSwish':
    case 'Sigmoid':
    case 'Gelu':
    case 'Identity':
      return x;
  }
}

function refuse(node: Node, detail: string): never {
  throw new ModelError('bad-shape', `node "${node.name}"`, `${node.op} ${detail}`);
}

function text(...shapes: Shape[]): string {
  return shapes.map((shape) => `[${shape.join()}]`).join(' and ');
}

function positive(node: Node, shape: Shape): Shape {
  if (shape.some((size) => size < 1)) refuse(node, `leaves an empty output ${text(shape)}`);
  return shape;
}

function imageShape(node: Node, x: Shape, channels: number, size: Pair): Shape {
  if (x.length !== 4) refuse(node, `expected [1,C,H,W], got ${text(x)}`);
  return positive(node, [x[0]!, channels, ...size]);
}

function windowOutput(x: Shape, window: Window, dilations: Pair): Pair {
  const [top, left, bottom, right]: Pads = window.pads;
  const { kernel, strides } = window;
  return [
    windowSize(x[2]!, kernel[0], strides[0], top, bottom, dilations[0]),
    windowSize(x[3]!, kernel[1], strides[1], left, right, dilations[1]),
  ];
}

function convShape(node: ConvNode, x: Shape, weight: Shape): Shape {
  const fits =
    weight.length === 4 &&
    weight[1]! * node.group === x[1] &&
    weight[0]! % node.group === 0 &&
    weight[2] === node.kernel[0] &&
    weight[3] === node.kernel[1];
  if (!fits) refuse(node, `with group ${node.group} cannot join ${text(x, weight)}`);
  return imageShape(node, x, weight[0]!, windowOutput(x, node, node.dilations));
}

function gemmShape(node: GemmNode, a: Shape, b: Shape): Shape {
  const [m, k] = node.transA ? [a[1], a[0]] : [a[0], a[1]];
  const [rows, n] = node.transB ? [b[1], b[0]] : [b[0], b[1]];
  if (a.length !== 2 || b.length !== 2 || k !== rows) refuse(node, `cannot join ${text(a, b)}`);
  return [m!, n!];
}

function matMulShape(node: Node, a: Shape, b: Shape): Shape {
  const batch = broadcastShape(a.slice(0, -2), b.slice(0, -2));
  if (a.length < 2 || b.length < 2 || a.at(-1) !== b.at(-2) || batch === undefined) {
    return refuse(node, `cannot join ${text(a, b)}`);
  }
  return [...batch, a.at(-2)!, b.at(-1)!];
}

function concatShape(node: ConcatNode, shapes: readonly Shape[]): Shape {
  const [first] = shapes;
  const fits = shapes.every(
    (shape) =>
      shape.length === first!.length &&
      shape.every((size, axis) => axis === node.axis || size === first![axis]),
  );
  if (!fits) refuse(node, `along axis ${node.axis} cannot join ${text(...shapes)}`);
  const total = shapes.reduce((sum, shape) => sum + shape[node.axis]!, 0);
  return first!.map((size, axis) => (axis === node.axis ? total : size));
}
