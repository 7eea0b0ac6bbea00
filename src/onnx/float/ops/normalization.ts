// SPDX-License-Identifier: Apache-2.0
import type { ImportOp } from '../context.js';
import { Unsupported } from '../problems.js';

/** BatchNormalization (7, 9, 14, 15) as inference has it. */
export const importBatchNorm: ImportOp = (context) => {
  const { attributes } = context;
  attributes.ignore('momentum');
  if (!attributes.flag('spatial', true)) throw new Unsupported('spatial = 0');
  if (attributes.flag('training_mode', false)) {
    throw new Unsupported('training_mode; export the model in evaluation mode');
  }
  for (const [i, what] of ['scale', 'bias', 'mean', 'variance'].entries()) {
    context.weight(i + 1, what);
  }
  return {
    ...context.base(context.node.inputs.slice(0, 5)),
    op: 'BatchNorm',
    epsilon: attributes.float('epsilon', 1e-5),
  };
};
