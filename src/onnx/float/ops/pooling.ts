// SPDX-License-Identifier: Apache-2.0
import type { Node, Shape } from '../../../graph/graph.js';
import type { ImportOp, NodeContext } from '../context.js';
import { Unsupported } from '../problems.js';
import { readWindow } from './windows.js';

/** AveragePool (7, 10, 11, 19). */
export const importAveragePool: ImportOp = (context) => {
  const { window, dilations, ceilPads } = readWindow(context);
  if (dilations[0] !== 1 || dilations[1] !== 1) {
    throw new Unsupported(`dilations [${dilations.join()}]`);
  }
  const countIncludePad = context.attributes.flag('count_include_pad', false);
  if (countIncludePad && (ceilPads[0] > 0 || ceilPads[1] > 0)) {
    // Rows that rounding up adds are never counted, stated pads are: no single divisor rule.
    throw new Unsupported('ceil_mode together with count_include_pad');
  }
  return { ...context.base(), op: 'AveragePool', ...window, countIncludePad };
};

/** MaxPool (1, 8, 10, 11, 12) without indices. */
export const importMaxPool: ImportOp = (context) => {
  context.attributes.ignore('storage_order'); // the layout of the indices only
  context.onlyFirstOutput();
  const { window, dilations } = readWindow(context);
  return { ...context.base(), op: 'MaxPool', ...window, dilations };
};

/** GlobalAveragePool (1). */
export const importGlobalAveragePool: ImportOp = (context) => ({
  ...context.base(),
  op: 'GlobalAveragePool',
});

/** GlobalMaxPool (1). */
export const importGlobalMaxPool: ImportOp = (context) => wholeMaximum(context, context.shape(0));

/** ReduceMax over the whole image: axes as an attribute (1, 11, 12, 13) or as an input (18). */
export const importReduceMax: ImportOp = (context) => {
  const { attributes } = context;
  const shape = context.shape(0);
  const stated = attributes.ints('axes') ?? context.integers(1, 'axes') ?? [];
  attributes.ignore('noop_with_empty_axes');
  const axes = context.axes(stated, shape.length).join();
  const keeps = attributes.flag('keepdims', true);
  if (shape.length !== 4 || axes !== '2,3') {
    throw new Unsupported(`a maximum over axes ${axes} of [${shape.join()}]`);
  }
  if (keeps) return wholeMaximum(context, shape);
  const pooled = context.fresh(`${context.output}/pooled`);
  const pool = { ...wholeMaximum(context, shape), outputs: [pooled] };
  const name = context.fresh(`${context.name}/shape`);
  const flat: Node = {
    op: 'Reshape',
    name,
    inputs: [pooled],
    outputs: [context.output],
    shape: shape.slice(0, 2),
  };
  return [pool, flat];
};

function wholeMaximum(context: NodeContext, shape: Shape): Node {
  const [, , height, width] = shape;
  if (shape.length !== 4) throw new Unsupported(`an input of rank ${shape.length}`);
  return {
    ...context.base([context.input(0)]),
    ...{ op: 'MaxPool', kernel: [height!, width!], strides: [1, 1] },
    ...{ pads: [0, 0, 0, 0], dilations: [1, 1] },
  };
}

/** ReduceMean: axes as an attribute (1, 11, 13) or as an input (18). */
export const importReduceMean: ImportOp = (context) => {
  const { attributes } = context;
  const rank = context.shape(0).length;
  const stated = attributes.ints('axes') ?? context.integers(1, 'axes') ?? [];
  const none = attributes.flag('noop_with_empty_axes', false);
  if (stated.length === 0 && none) return { ...context.base([context.input(0)]), op: 'Identity' };
  return {
    ...context.base([context.input(0)]),
    op: 'ReduceMean',
    axes:
      stated.length === 0 ? Array.from({ length: rank }, (_, i) => i) : context.axes(stated, rank),
    keepDims: attributes.flag('keepdims', true),
  };
};
