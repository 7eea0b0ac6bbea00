// SPDX-License-Identifier: Apache-2.0
import type { ImportOp } from '../context.js';
import { Unsupported } from '../problems.js';

/** Add, Sub, Mul, Div (7, 13, 14) and Sum (6, 8, 13) of two. */
export const importElementwise: ImportOp = (context) => {
  const { node } = context;
  if (node.inputs.length !== 2) throw new Unsupported(`${node.inputs.length} inputs, expected 2`);
  switch (node.op) {
    case 'Add':
    case 'Sum':
      return { ...context.base(), op: 'Add' };
    case 'Sub':
    case 'Mul':
    case 'Div':
      return { ...context.base(), op: node.op };
    default:
      throw new Unsupported('this operator');
  }
};

/** Gemm (7, 9, 11, 13). */
export const importGemm: ImportOp = (context) => {
  const { attributes } = context;
  context.weight(1, 'weight');
  if (context.input(2) !== '') context.weight(2, 'bias');
  return {
    ...context.base([context.input(0), context.input(1), context.input(2)]),
    op: 'Gemm',
    alpha: attributes.float('alpha', 1),
    beta: attributes.float('beta', 1),
    transA: attributes.flag('transA', false),
    transB: attributes.flag('transB', false),
  };
};

/** MatMul (1, 9, 13) with a constant on the right. */
export const importMatMul: ImportOp = (context) => {
  context.weight(1, 'weight');
  return { ...context.base(), op: 'MatMul' };
};
