// SPDX-License-Identifier: Apache-2.0
import type { TargetSpec } from './target.js';
import { tfliteBuiltinX86 } from './tflite.js';

const interpolation = { kind: 'integer', bits: 11, rule: 'halfUp', steps: 'f32' } as const;

/** TFLite with XNNPACK, float32 requantization: x86, WebAssembly, and all per-channel int8. */
export const xnnpack: TargetSpec = {
  id: 'litert-xnnpack@2.3.0',
  aliases: ['xnnpack'],
  summary: 'TFLite with XNNPACK (x86, wasm): float32 scales, half to even; 21-bit add',
  source:
    'google/XNNPACK src/xnnpack/requantization.h, src/microparams-init.c, ' +
    'src/operators/convolution-nhwc.c, src/qs8-vadd; TFLite for pools and softmax; run as ' +
    'ai-edge-litert 2.3.0 with its default delegates, on x86 with AVX512',
  evidence: 'verified',
  provenBy: ['test/targets/oracle-ties.test.ts', 'test/targets/oracle-nets.test.ts'],
  readsTflite: true,
  constraints: {
    activations: ['s8', 'u8'],
    weights: ['s8', 'u8'],
    weightBits: [8],
    activationZeroPoint: true,
    weightZeroPoint: true,
    perChannelWeights: true,
    narrowWeights: true,
    scales: 'real',
    perChannelClamp: false,
    oddWeightAxes: 'refused',
    wideOutputs: [],
  },
  arithmetic: {
    product: 'f32',
    code: { kind: 'f32' },
    accumulator: { bits: 32, overflow: 'wrap', when: 'end', products: 'exact', biasFirst: false },
    clampRounding: 'halfAway',
    add: { kind: 'aligned', bits: 21, rule: 'halfUp' },
    averagePool: { kind: 'divide', s8: 'halfAway', u8: 'halfUp' },
    globalPool: { kind: 'f32ZeroInside' },
    resize: { s8: interpolation, u8: interpolation },
    softmax: { kind: 'f32Table', s8: 'halfAway', u8: 'truncHalf' },
    unary: {
      // Neither hard-swish nor a clamp on its own is delegated.
      hardSwish: 'tflite16',
      sigmoid: 'f32HalfAway',
      leakyRelu: 'xnnpack',
      gelu: 'f32HalfAway',
      requantize: { kind: 'fractional', bits: 8, rule: 'halfUp' },
      rectify: { kind: 'code', product: 'f32', code: { kind: 'q31', rule: 'gemmlowp2' } },
      // Only QUANTIZE between codes of one type is delegated.
      retype: tfliteBuiltinX86.arithmetic.unary.requantize,
      concat: { kind: 'f32Biased' },
    },
    inputQuantization: { form: 'multiplyInverse', rule: 'halfEven' },
  },
};

/** XNNPACK's integer rounding, which uint8 nets get on Arm. */
export const xnnpackRndnu: TargetSpec = {
  ...xnnpack,
  id: 'litert-xnnpack-rndnu@2.3.0',
  aliases: ['xnnpack-rndnu'],
  summary: 'TFLite with XNNPACK on Arm, uint8: 24-bit multipliers, half up',
  evidence: 'source',
  provenBy: [],
  constraints: {
    ...xnnpack.constraints,
    activations: ['u8'],
    weights: ['u8'],
    perChannelWeights: false,
    narrowWeights: false,
  },
  arithmetic: {
    ...xnnpack.arithmetic,
    code: { kind: 'f32bits', rule: 'halfUp' },
    unary: {
      ...xnnpack.arithmetic.unary,
      retype: { kind: 'code', code: { kind: 'q31', rule: 'halfUp' } },
    },
  },
};
