// SPDX-License-Identifier: Apache-2.0
import { onnxruntime } from './onnxruntime.js';
import type { TargetSpec } from './target.js';

/** PyTorch's QNNPACK engine. */
export const qnnpack: TargetSpec = {
  ...onnxruntime,
  id: 'qnnpack@1.13',
  aliases: ['qnnpack', 'torch-qnnpack'],
  summary: 'PyTorch QNNPACK: float32 scales, half to even; 22-bit add, half away',
  source:
    'pytorch/pytorch aten/src/ATen/native/quantized/cpu/qnnpack (a fork of pytorch/QNNPACK, whose own ' +
    'requantization is another one); run as torch 1.13.1, engine qnnpack, on x86, with s8 weights',
  evidence: 'verified',
  provenBy: ['test/targets/oracle-torch.test.ts'],
  perChannelClampInFloat: false,
  constraints: {
    ...onnxruntime.constraints,
    activations: ['u8'],
    perChannelClamp: false,
  },
  arithmetic: {
    ...onnxruntime.arithmetic,
    resize: undefined,
    unary: { ...onnxruntime.arithmetic.unary, leakyRelu: undefined, gelu: undefined },
    add: { kind: 'aligned', bits: 22, rule: 'halfAway' },
    averagePool: { kind: 'f32' },
    inputQuantization: { form: 'multiplyInverse', rule: 'halfEven' },
  },
};
