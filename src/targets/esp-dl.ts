// SPDX-License-Identifier: Apache-2.0
import { pow2 } from './pow2.js';
import type { TargetSpec } from './target.js';

const source =
  'espressif/esp-dl 12c0616 (2026-07-30) esp-dl/dl/tool/src/dl_tool.cpp, esp-dl/dl/base ' +
  '(dl_base_activate_buffer.hpp, dl_base_add.cpp, dl_base_avg_pool2d.cpp, dl_base_requantize_linear.cpp): ' +
  'the C kernels, one exponent per tensor. The assembly kernels of the chips accumulate in 20 bits and ' +
  'pool otherwise. Not run';

/** ESP-DL on the ESP32 and ESP32-S3: ties up. */
export const espDlS3: TargetSpec = {
  ...pow2,
  id: 'esp-dl-s3@3.3',
  aliases: ['esp-dl', 'esp-dl-s3'],
  summary: 'ESP-DL on ESP32-S3: power-of-two scales, half up, float32 averages, adds saturate',
  source,
  evidence: 'source',
  provenBy: ['test/targets/pipelines.test.ts'],
  constraints: {
    ...pow2.constraints,
    weightBits: [8],
    perChannelWeights: false,
    perChannelClamp: false,
    wideOutputs: [],
  },
  arithmetic: {
    ...pow2.arithmetic,
    add: { kind: 'saturating' },
    averagePool: { kind: 'f32Inverse', rule: 'addHalfFloor' },
    globalPool: { kind: 'f32Inverse', rule: 'addHalfFloor' },
    inputQuantization: { form: 'divide', rule: 'halfEven' },
  },
};

/** ESP-DL on the ESP32-P4: ties to even. */
export const espDlP4: TargetSpec = {
  ...espDlS3,
  id: 'esp-dl-p4@3.3',
  aliases: ['esp-dl-p4'],
  summary: 'ESP-DL on ESP32-P4: as esp-dl-s3, half even',
  arithmetic: {
    ...espDlS3.arithmetic,
    code: { kind: 'pow2', rule: 'halfEven' },
    averagePool: { kind: 'f32Inverse', rule: 'halfEven' },
    globalPool: { kind: 'f32Inverse', rule: 'halfEven' },
    unary: {
      hardSwish: 'f32HalfEven',
      sigmoid: 'f32HalfEven',
      requantize: { kind: 'code' },
    },
  },
};
