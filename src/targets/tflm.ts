// SPDX-License-Identifier: Apache-2.0
import type { TargetSpec } from './target.js';

/** TensorFlow Lite Micro's int8 kernels, and CMSIS-NN and ESP-NN, which follow them. */
export const tflm: TargetSpec = {
  id: 'tflm@2026.10',
  aliases: ['tflm'],
  summary: 'TFLite Micro, CMSIS-NN, ESP-NN: int8 and 16x8, Q31 multipliers, double rounding',
  source:
    'tensorflow/tflite-micro tensorflow/lite/kernels/internal (common.h, quantization_util.cc, ' +
    'reference/), ARM-software/CMSIS-NN Include/arm_nnsupportfunctions.h, google/gemmlowp; run as ' +
    'tflite-micro 0.dev20261023182759 (its x86 build). 4-bit weights are from the source alone',
  evidence: 'verified',
  provenBy: [
    'test/targets/oracle-ties.test.ts',
    'test/targets/oracle-nets.test.ts',
    'test/targets/oracle-wide.test.ts',
    'test/numeric/gemmlowp.test.ts',
  ],
  readsTflite: true,
  constraints: {
    activations: ['s8', 's16'],
    weights: ['s8'],
    weightBits: [8, 4],
    activationZeroPoint: true,
    weightZeroPoint: false,
    perChannelWeights: true,
    narrowWeights: true,
    scales: 'real',
    perChannelClamp: false,
    // QUANTIZE, from a uint8 input or to a uint8 output.
    retyped: 'u8',
    wideOutputs: [],
  },
  arithmetic: {
    product: 'f64',
    code: { kind: 'q31', rule: 'gemmlowp2' },
    s16: {
      code: { kind: 'q31', rule: 'halfUp', reduced: true },
      kinds: { mul: { code: { kind: 'q31', rule: 'gemmlowp2' } } },
      accumulatorBits: 64,
      add: { kind: 'rescaled', leftShift: 15, rule: 'gemmlowp2' },
      requantize: { kind: 'code', code: { kind: 'q31', rule: 'gemmlowp2' } },
      softmax: { rule: 'gemmlowp2', tables: 'f32' },
    },
    accumulator: { bits: 32, overflow: 'wrap', when: 'end', products: 'exact', biasFirst: false },
    clampRounding: 'halfAway',
    add: { kind: 'rescaled', leftShift: 20, rule: 'gemmlowp2' },
    averagePool: { kind: 'divide', s8: 'halfAway', u8: 'halfUp' },
    globalPool: { kind: 'mean', rule: 'gemmlowp2' },
    resize: { s8: { kind: 'integer', bits: 10, rule: 'halfAway', steps: 'fixed10' } },
    softmax: { kind: 'gemmlowp' },
    unary: {
      hardSwish: 'tflite16',
      sigmoid: 'f32HalfAway',
      leakyRelu: 'gemmlowp2',
      requantize: { kind: 'code' },
    },
    inputQuantization: { form: 'divide', rule: 'halfAway' },
  },
};

/** The same sources built with TFLITE_SINGLE_ROUNDING or CMSIS_NN_USE_SINGLE_ROUNDING. */
export const tflmSingle: TargetSpec = {
  ...tflm,
  id: 'tflm-single@2026.10',
  aliases: ['tflm-single'],
  summary: 'TFLite Micro and CMSIS-NN built for single rounding (half up)',
  evidence: 'source',
  provenBy: [],
  arithmetic: {
    ...tflm.arithmetic,
    code: { kind: 'q31', rule: 'halfUp' },
    s16: {
      code: { kind: 'q31', rule: 'halfUp', reduced: true },
      kinds: { mul: { code: { kind: 'q31', rule: 'halfUp' } } },
      accumulatorBits: 64,
      add: { kind: 'rescaled', leftShift: 15, rule: 'halfUp' },
      requantize: { kind: 'code', code: { kind: 'q31', rule: 'halfUp' } },
      softmax: { rule: 'halfUp', tables: 'f32' },
    },
    add: { kind: 'rescaled', leftShift: 20, rule: 'halfUp' },
    globalPool: { kind: 'mean', rule: 'halfUp' },
  },
};

/** An accelerator with TFLite Micro's arithmetic and a clamp register per output channel. */
export const q31PerChannel: TargetSpec = {
  ...tflm,
  id: 'q31-pc@1',
  aliases: ['q31-pc'],
  summary: 'as tflm, with a clamp per output channel',
  source: 'defined by lastbit: src/targets/NOTES.md',
  evidence: 'source',
  provenBy: [],
  constraints: { ...tflm.constraints, perChannelClamp: true },
};
