// SPDX-License-Identifier: Apache-2.0
import type { TargetSpec } from './target.js';

/** Shifts only: the arithmetic of a small accelerator without multipliers after its MACs. */
export const pow2: TargetSpec = {
  id: 'pow2@1',
  aliases: ['pow2'],
  summary: 'power-of-two scales, signed 8 bits, zero points 0, one half-up shift',
  source: 'defined by lastbit: src/targets/NOTES.md',
  evidence: 'source',
  provenBy: ['test/program/lower.test.ts'],
  constraints: {
    activations: ['s8'],
    weights: ['s8'],
    weightBits: [8, 7, 6, 5, 4, 3, 2],
    activationZeroPoint: false,
    weightZeroPoint: false,
    perChannelWeights: true,
    narrowWeights: false,
    scales: 'powerOfTwo',
    perChannelClamp: true,
    wideOutputs: ['s16', 's32'],
  },
  arithmetic: {
    product: 'f64',
    code: { kind: 'pow2', rule: 'halfUp' },
    accumulator: { bits: 32, overflow: 'wrap', when: 'end', products: 'exact', biasFirst: false },
    clampRounding: 'halfAway',
    add: { kind: 'pow2', rule: 'halfUp' },
    averagePool: { kind: 'reciprocal', bits: 15, rule: 'halfUp' },
    globalPool: { kind: 'reciprocal', bits: 15, rule: 'halfUp' },
    softmax: undefined,
    unary: {
      hardSwish: 'f32HalfAway',
      sigmoid: 'f32HalfAway',
      requantize: { kind: 'code' },
    },
    inputQuantization: { form: 'divide', rule: 'halfAway' },
  },
};

/** As pow2, with unsigned codes wherever no value is negative. */
export const pow2Unsigned: TargetSpec = {
  ...pow2,
  id: 'pow2-u8@1',
  aliases: ['pow2-u8'],
  summary: 'as pow2, with unsigned 8 bits where no value is negative',
  constraints: { ...pow2.constraints, activations: ['u8', 's8'] },
};
