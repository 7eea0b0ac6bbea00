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
    'pytorch/QNNPACK src/qnnpack/requantization.h and PyTorch 1.13; its average pool has not been run',
  evidence: 'unverified',
  provenBy: [],
  constraints: {
    ...onnxruntime.constraints,
    activations: ['u8'],
    perChannelClamp: false,
  },
  arithmetic: {
    ...onnxruntime.arithmetic,
    add: { kind: 'aligned', bits: 22, rule: 'halfAway' },
    inputQuantization: { form: 'multiplyInverse', rule: 'halfEven' },
  },
};
