// SPDX-License-Identifier: Apache-2.0
// Activations that are made of operators which every target has.
import { leakyNodes } from '../../../graph/leaky.js';
import type { Node, Tensor } from '../../../graph/graph.js';
import { f32Tensor } from '../../../graph/tensors.js';
import type { ImportOp, NodeContext } from '../context.js';
import { Unsupported } from '../problems.js';

/** LeakyRelu (6, 16). */
export const importLeakyRelu: ImportOp = (context) => {
  const alpha = context.attributes.float('alpha', Math.fround(0.01));
  return leaky(context, f32Tensor([1], Float64Array.of(alpha)));
};

/** PRelu (7, 9, 16) with one slope or one for each channel. */
export const importPRelu: ImportOp = (context) => {
  const slope = context.weight(1, 'slope');
  const shape = context.shape(0);
  const [channels = 1] = shape.slice(1);
  const missing = shape.length - slope.shape.length;
  const perChannel =
    missing >= 0 && slope.shape.every((size, i) => size === 1 || i + missing === 1);
  if (slope.data.length !== 1 && !(perChannel && slope.data.length === channels)) {
    throw new Unsupported(`a slope of shape [${slope.shape.join()}]; one or one per channel`);
  }
  const sizes = slope.data.length === 1 ? [1] : shape.map((size, i) => (i === 1 ? size : 1));
  return leaky(context, f32Tensor(sizes, slope.data));
};

function leaky(context: NodeContext, slope: Tensor): readonly Node[] {
  return leakyNodes({
    ...{ name: context.name, input: context.input(0), output: context.output, slope },
    addConstant: (wanted, tensor) => context.addConstant(wanted, tensor),
    fresh: (wanted) => context.fresh(wanted),
  });
}

/** Swish (24): x * sigmoid(alpha * x). */
export const importSwish: ImportOp = (context) => {
  const { name, output } = context;
  const alpha = context.attributes.float('alpha', 1);
  const x = context.input(0);
  const gate = context.fresh(`${output}/gate`);
  const gateNode = { name: context.fresh(`${name}/sigmoid`), op: 'Sigmoid' as const };
  const product: Node = { ...context.base([x, gate]), op: 'Mul' };
  if (alpha === 1) return [{ ...gateNode, inputs: [x], outputs: [gate] }, product];
  const scaled = context.fresh(`${output}/scaled`);
  const factor = context.addConstant(`${output}/alpha`, f32Tensor([1], Float64Array.of(alpha)));
  const scale: Node = {
    ...{ name: context.fresh(`${name}/scale`), op: 'Mul' },
    inputs: [x, factor],
    outputs: [scaled],
  };
  return [scale, { ...gateNode, inputs: [scaled], outputs: [gate] }, product];
};
