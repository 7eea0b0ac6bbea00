// SPDX-License-Identifier: Apache-2.0
import type { ScaleCode, TargetSpec } from './target.js';

/** SDP's X unit: 16-bit multiplier, one shift for all kernels, then 32 bits; CVT: 17, then 8 bits. */
const sdp: ScaleCode = {
  kind: 'staged',
  steps: [
    { kind: 'saturate', bits: 32 },
    { kind: 'bias' },
    {
      kind: 'scale',
      bits: 16,
      greatestShift: 62,
      encode: 'floor',
      rule: 'halfAway',
      commonShift: true,
    },
    { kind: 'saturate', bits: 32 },
    { kind: 'saturate', bits: 17 },
  ],
};

/** The output converter alone, which elementwise operations go through. */
const converter: ScaleCode = {
  kind: 'staged',
  steps: [
    {
      kind: 'scale',
      bits: 16,
      greatestShift: 62,
      encode: 'floor',
      rule: 'halfAway',
      commonShift: true,
    },
    { kind: 'saturate', bits: 17 },
  ],
};

/** NVDLA's int8 path: convolution core, single point processor (SDP), planar pooling (PDP). */
export const nvdla: TargetSpec = {
  id: 'nvdla@1.0',
  aliases: ['nvdla'],
  summary: 'NVDLA int8: symmetric, 16-bit scales with a common shift, half away, staged saturation',
  source:
    'nvdla/hw 8e06b1b (2018-04-19) cmod/hls/sdp/{sdp_x,sdp_c}.cpp, cmod/hls/include/nvdla_int.h, ' +
    'cmod/cacc/NV_NVDLA_cacc.cpp, cmod/pdp/NV_NVDLA_pdp.cpp; registers as nvdla/sw sets them per ' +
    'filter: umd/core/src/compiler/engine-ast (BiasOp, SDPEltWiseOp), kmd/firmware/pdp.c. Operands of ' +
    'an addition whose scales differ get weights of 16 bits, which its compiler does not do; a change of ' +
    'scale behind a pool, hard-swish and sigmoid are tables. Not run',
  evidence: 'source',
  provenBy: ['test/targets/pipelines.test.ts'],
  constraints: {
    activations: ['s8'],
    weights: ['s8'],
    weightBits: [8],
    activationZeroPoint: false,
    weightZeroPoint: false,
    perChannelWeights: true,
    narrowWeights: false,
    scales: 'real',
    perChannelClamp: false,
    wideOutputs: [],
    // One shift serves all kernels: with 3 digits of it no bias loses what its output could show.
    biasLimit: 2 ** 18,
  },
  arithmetic: {
    product: 'f32Ratio',
    code: sdp,
    accumulator: {
      bits: 48,
      overflow: 'saturate',
      when: 'end',
      products: 'exact',
      biasFirst: false,
    },
    bias: { bits: 16, overflow: 'refuse', shift: 'least', rule: 'floor' },
    clampRounding: 'halfAway',
    add: { kind: 'weighted', bits: 16, code: converter },
    averagePool: { kind: 'twoReciprocals', bits: 16, greatestSide: 8, rule: 'halfAway' },
    globalPool: { kind: 'twoReciprocals', bits: 16, greatestSide: 8, rule: 'halfAway' },
    softmax: undefined,
    unary: {
      hardSwish: 'f32HalfAway',
      sigmoid: 'f32HalfAway',
      requantize: { kind: 'code', code: converter },
    },
    inputQuantization: { form: 'divide', rule: 'halfAway' },
  },
};
