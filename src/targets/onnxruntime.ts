// SPDX-License-Identifier: Apache-2.0
import type { TargetSpec } from './target.js';

/** ONNX Runtime's CPU provider where its GEMM is exact: AVX2 with FMA and VNNI. */
export const onnxruntime: TargetSpec = {
  id: 'onnxruntime@1.30',
  aliases: ['onnxruntime'],
  summary: 'ONNX Runtime on x86 with VNNI: float32 scales, half to even, fused add',
  source:
    'microsoft/onnxruntime onnxruntime/core/mlas/lib (quantize.cpp, qladd.cpp, qlgavgpool.cpp), ' +
    'onnxruntime/core/providers/cpu/quantization/qlinearconv.cc; run as onnxruntime-node 1.30.0 on ' +
    'AVX512-VNNI, and emulated (qemu 7.2) as Haswell and Nehalem',
  evidence: 'verified',
  provenBy: ['test/targets/oracle-ort.test.ts'],
  qdqInFloat: true,
  perChannelClampInFloat: true,
  constraints: {
    activations: ['u8', 's8'],
    weights: ['s8', 'u8'],
    weightBits: [8],
    activationZeroPoint: true,
    weightZeroPoint: true,
    perChannelWeights: true,
    narrowWeights: false,
    scales: 'real',
    // In a QDQ file such a clamp is Max and Min before QuantizeLinear, and the convolution runs in float.
    perChannelClamp: false,
    // The sums of a last layer whose result is float, before they are multiplied by its scale.
    wideOutputs: ['s32'],
  },
  arithmetic: {
    product: 'f32',
    code: { kind: 'f32' },
    accumulator: { bits: 32, overflow: 'wrap', when: 'end', products: 'exact', biasFirst: false },
    clampRounding: 'halfEven',
    add: { kind: 'f32', form: 'fused' },
    averagePool: { kind: 'f32Window', wholeImage: 'globalPool' },
    globalPool: { kind: 'f32' },
    resize: { s8: { kind: 'f32Reals' }, u8: { kind: 'f32Reals' } },
    softmax: undefined,
    unary: {
      hardSwish: 'f32HalfEven',
      sigmoid: 'f32HalfEven',
      leakyRelu: 'f32HalfEven',
      gelu: 'f32HalfEven',
      requantize: { kind: 'f32', rule: 'halfEven' },
    },
    inputQuantization: { form: 'divide', rule: 'halfEven' },
  },
};

/** x86 with AVX2 and without VNNI: pairs of u8 x s8 products saturate to 16 bits. */
export const onnxruntimeAvx2: TargetSpec = {
  ...onnxruntime,
  id: 'onnxruntime-avx2@1.30',
  aliases: ['onnxruntime-avx2'],
  summary: 'ONNX Runtime on x86 with AVX2 only: u8 x s8 product pairs saturate to 16 bits',
  provenBy: [...onnxruntime.provenBy, 'test/targets/oracle-pairs.test.ts'],
  arithmetic: {
    ...onnxruntime.arithmetic,
    accumulator: { ...onnxruntime.arithmetic.accumulator, products: 'satPairs16' },
  },
};

/** x86 with SSE4.1: exact products, an add without fused operations. */
export const onnxruntimeSse41: TargetSpec = {
  ...onnxruntime,
  id: 'onnxruntime-sse41@1.30',
  aliases: ['onnxruntime-sse41'],
  summary: 'ONNX Runtime on x86 with SSE4.1: as onnxruntime, unfused add',
  arithmetic: { ...onnxruntime.arithmetic, add: { kind: 'f32', form: 'separate' } },
};

/** 64-bit Arm: a 22-bit integer add. */
export const onnxruntimeArm64: TargetSpec = {
  ...onnxruntime,
  id: 'onnxruntime-arm64@1.16',
  aliases: ['onnxruntime-arm64'],
  summary: 'ONNX Runtime on 64-bit Arm: as onnxruntime, 22-bit integer add',
  evidence: 'source',
  provenBy: [],
  qdqInFloat: false,
  arithmetic: { ...onnxruntime.arithmetic, add: { kind: 'aligned', bits: 22, rule: 'halfAway' } },
};
