// SPDX-License-Identifier: Apache-2.0
import type { TargetSpec } from './target.js';

/** TFLite with XNNPACK, float32 requantization: x86, WebAssembly, and all per-channel int8. */
export const xnnpack: TargetSpec = {
  id: 'xnnpack@2024.1',
  aliases: ['xnnpack'],
  summary: 'TFLite with XNNPACK (x86, wasm): float32 scales, half to even; 21-bit add',
  source:
    'google/XNNPACK src/xnnpack/requantization.h, src/microparams-init.c, ' +
    'src/operators/convolution-nhwc.c, src/qs8-vadd; TFLite for pools and softmax',
  evidence: 'source',
  provenBy: [],
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
    wideOutputs: [],
  },
  arithmetic: {
    product: 'f32',
    code: { kind: 'f32' },
    accumulator: { bits: 32, overflow: 'wrap', when: 'end', products: 'exact', biasFirst: false },
    clampRounding: 'halfAway',
    add: { kind: 'aligned', bits: 21, rule: 'halfUp' },
    averagePool: { kind: 'divide', s8: 'halfAway', u8: 'halfUp' },
    globalPool: { kind: 'f32' },
    softmax: { kind: 'f32Table', s8: 'halfAway', u8: 'truncHalf' },
    unary: {
      hardSwish: 'f32HalfEven',
      sigmoid: 'f32HalfAway',
      requantize: { kind: 'f32', rule: 'halfEven' },
    },
    inputQuantization: { form: 'multiplyInverse', rule: 'halfEven' },
  },
};

/** XNNPACK's integer rounding, which uint8 nets get on Arm. */
export const xnnpackRndnu: TargetSpec = {
  ...xnnpack,
  id: 'xnnpack-rndnu@2024.1',
  aliases: ['xnnpack-rndnu'],
  summary: 'TFLite with XNNPACK on Arm, uint8: 24-bit multipliers, half up',
  constraints: {
    ...xnnpack.constraints,
    activations: ['u8'],
    weights: ['u8'],
    perChannelWeights: false,
    narrowWeights: false,
  },
  arithmetic: { ...xnnpack.arithmetic, code: { kind: 'f32bits', rule: 'halfUp' } },
};
