// SPDX-License-Identifier: Apache-2.0
// Activations that are made of operators which every target has.
import { scalarClamp } from '../../../graph/clamps.js';
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

/**
 * max(x, 0) + min(slope * x, 0), which is x where x > 0 and slope * x elsewhere. Where a slope is negative, the
 * product has to come behind the minimum.
 */
function leaky(context: NodeContext, slope: Tensor): readonly Node[] {
  const { name, output } = context;
  const x = context.input(0);
  const [above, below, scaled] = ['positive', 'negative', 'sloped'].map((part) =>
    context.fresh(`${output}/${part}`),
  ) as [string, string, string];
  const factor = context.addConstant(`${output}/slope`, slope);
  const node = (part: string, value: string) => ({
    name: context.fresh(`${name}/${part}`),
    outputs: [value],
  });
  const product = (from: string, to: string): Node => ({
    ...{ ...node('slope', to), op: 'Mul' as const, inputs: [from, factor] },
  });
  const bounded = (from: string, to: string): Node => ({
    ...{ ...node('min', to), op: 'Clamp' as const, inputs: [from] },
    clamp: scalarClamp(-Infinity, 0),
  });
  const negative = slope.data.some((value) => value < 0)
    ? [bounded(x, below), product(below, scaled)]
    : [product(x, below), bounded(below, scaled)];
  return [
    { ...node('max', above), op: 'Clamp', inputs: [x], clamp: scalarClamp(0, Infinity) },
    ...negative,
    { ...context.base([above, scaled]), op: 'Add' },
  ];
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
