// SPDX-License-Identifier: Apache-2.0
import type { ImportOp } from '../context.js';
import { readWindow } from './windows.js';

/** Conv (1, 11): two spatial dimensions, any group. */
export const importConv: ImportOp = (context) => {
  const weight = context.weight(1, 'weight');
  if (context.input(2) !== '') context.weight(2, 'bias');
  const { window, dilations } = readWindow(context, weight.shape.slice(2));
  return {
    ...context.base([context.input(0), context.input(1), context.input(2)]),
    op: 'Conv',
    ...window,
    dilations,
    group: context.attributes.int('group', 1),
  };
};
