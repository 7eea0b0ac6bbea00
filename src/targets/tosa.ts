// SPDX-License-Identifier: Apache-2.0
import { tflm, tflmSingle } from './tflm.js';
import type { TargetSpec } from './target.js';

/** TOSA's RESCALE with DOUBLE_ROUND. */
export const tosaDouble: TargetSpec = {
  ...tflm,
  id: 'tosa-double@1.0',
  aliases: ['tosa-double'],
  summary: 'TOSA 1.0, DOUBLE_ROUND; average pool by a 30-bit reciprocal, half up',
  source:
    'arm/tosa-specification pseudocode/library/scale_*.tosac, operators/AVG_POOL2D.tosac; multipliers as ' +
    "TensorFlow's lowering to TOSA makes them; run as Arm's reference model, tosa-tools 2026.8.0. Softmax, " +
    'products and tables are from TFLite Micro and have not been run',
  evidence: 'verified',
  provenBy: ['test/targets/oracle-tosa.test.ts'],
  constraints: { ...tflm.constraints, activations: ['s8'] },
  arithmetic: {
    ...tflm.arithmetic,
    resize: undefined,
    unary: { ...tflm.arithmetic.unary, leakyRelu: undefined, gelu: undefined },
    add: { kind: 'rescaled', leftShift: 20, folded: true, rule: 'gemmlowp2' },
    averagePool: { kind: 'flooredReciprocal', bits: 30, rule: 'halfUp' },
    globalPool: { kind: 'code', code: { kind: 'q31', rule: 'gemmlowp2' } },
  },
};

/** TOSA's RESCALE with SINGLE_ROUND. */
export const tosaSingle: TargetSpec = {
  ...tosaDouble,
  id: 'tosa-single@1.0',
  aliases: ['tosa-single'],
  summary: 'TOSA 1.0, SINGLE_ROUND; average pool by a 30-bit reciprocal, half up',
  arithmetic: {
    ...tflmSingle.arithmetic,
    add: { kind: 'rescaled', leftShift: 20, folded: true, rule: 'halfUp' },
    averagePool: tosaDouble.arithmetic.averagePool,
    globalPool: { kind: 'code', code: { kind: 'q31', rule: 'halfUp' } },
  },
};
