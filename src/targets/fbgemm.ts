// SPDX-License-Identifier: Apache-2.0
import { onnxruntime } from './onnxruntime.js';
import type { TargetSpec } from './target.js';

/** PyTorch's FBGEMM engine where its products are exact: VNNI, or activations of 7 bits. */
export const fbgemm: TargetSpec = {
  ...onnxruntime,
  id: 'fbgemm@1.13',
  aliases: ['fbgemm'],
  summary: 'PyTorch FBGEMM: float32 scales, half to even',
  source:
    'pytorch/FBGEMM 71d6f8b (2026-08-21) include/fbgemm/QuantUtils.h, src/RefImplementations.cc; run as ' +
    'torch 1.13.1, engine fbgemm, on x86 with AVX2. Windows that count no padding have not been run',
  evidence: 'verified',
  provenBy: ['test/targets/oracle-torch.test.ts'],
  qdqInFloat: false,
  perChannelClampInFloat: false,
  constraints: {
    ...onnxruntime.constraints,
    activations: ['u8'],
    weights: ['s8'],
    perChannelClamp: false,
  },
  arithmetic: {
    ...onnxruntime.arithmetic,
    resize: undefined,
    unary: { ...onnxruntime.arithmetic.unary, leakyRelu: undefined, gelu: undefined },
    add: { kind: 'f32', form: 'direct', zeroPointOutside: true },
    averagePool: { kind: 'f32' },
    inputQuantization: { form: 'multiplyInverse', rule: 'halfEven' },
  },
};

/** With AVX2 and without VNNI: pairs of u8 x s8 products saturate to 16 bits. */
export const fbgemmAvx2: TargetSpec = {
  ...fbgemm,
  id: 'fbgemm-avx2@1.13',
  aliases: ['fbgemm-avx2'],
  summary: 'PyTorch FBGEMM with AVX2 only: product pairs saturate to 16 bits',
  arithmetic: {
    ...fbgemm.arithmetic,
    accumulator: {
      ...fbgemm.arithmetic.accumulator,
      products: 'satPairs16',
      pairsInDepthwise: true,
    },
  },
};
