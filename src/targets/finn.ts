// SPDX-License-Identifier: Apache-2.0
import type { TargetSpec } from './target.js';

const thresholds = { kind: 'thresholds', rule: 'halfUp' } as const;

/** FINN's dataflow accelerators: every activation is a ladder of thresholds on the accumulator. */
export const finn: TargetSpec = {
  id: 'finn@1.0',
  aliases: ['finn'],
  summary: 'FINN: per-channel thresholds equal to exact scaling, half up; no multipliers',
  source:
    'fastmachinelearning/qonnx 1.0.0 custom_op/general/multithreshold.py; Xilinx/finn-hlslib ' +
    'activations.hpp with comp::less_equal, as FINN generates it. Thresholds are computed exactly from ' +
    'the scales. Operands of an addition whose scales differ get integer weights of 16 bits; functions ' +
    'of one value are tables. Layers have been run as qonnx 1.0.0',
  evidence: 'source',
  provenBy: ['test/targets/oracle-qonnx.test.ts', 'test/targets/pipelines.test.ts'],
  constraints: {
    activations: ['u8', 's8'],
    weights: ['s8'],
    weightBits: [8, 7, 6, 5, 4, 3, 2],
    activationZeroPoint: false,
    weightZeroPoint: false,
    perChannelWeights: true,
    narrowWeights: true,
    scales: 'real',
    perChannelClamp: true,
    wideOutputs: [],
  },
  arithmetic: {
    product: 'f64',
    code: thresholds,
    accumulator: { bits: 64, overflow: 'trap', when: 'end', products: 'exact', biasFirst: false },
    clampRounding: 'halfAway',
    add: { kind: 'weighted', bits: 16, code: thresholds },
    averagePool: { kind: 'code', code: thresholds },
    globalPool: { kind: 'code', code: thresholds },
    softmax: undefined,
    unary: {
      hardSwish: 'f32HalfAway',
      sigmoid: 'f32HalfAway',
      requantize: { kind: 'code' },
    },
    inputQuantization: { form: 'divide', rule: 'halfAway' },
  },
};
