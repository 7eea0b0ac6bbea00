// SPDX-License-Identifier: Apache-2.0
import type { ImportOp } from '../context.js';
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
