// SPDX-License-Identifier: Apache-2.0
import { pow2 } from './pow2.js';
import type { TargetSpec } from './target.js';

const biasShift = 7;
const biasBits = 8;

/** Analog Devices' MAX78000, as the simulator of its synthesis tool computes it. */
export const max78000: TargetSpec = {
  ...pow2,
  id: 'max78000@2024.8',
  aliases: ['max78000', 'max78002'],
  summary: 'MAX78000/78002: 8-bit bias times 128, half up, averages truncate, adds saturate',
  source:
    'analogdevicesinc/ai8x-synthesis ab4f4c0 (2024-08-30) izer/{simulate,compute,tornadocnn}.py, ' +
    'average pools without --avg-pool-rounding. A change of scale on its own is a 1 x 1 layer. Not run',
  evidence: 'source',
  provenBy: ['test/targets/pipelines.test.ts'],
  constraints: {
    ...pow2.constraints,
    weightBits: [8],
    perChannelWeights: false,
    perChannelClamp: false,
    wideOutputs: ['s32'],
    biasLimit: (2 ** (biasBits - 1) - 1) * 2 ** biasShift,
    biasStep: 2 ** biasShift,
  },
  limits: {
    source: 'analogdevicesinc/ai8x-training README, "Limitations of MAX78000 Networks"',
    refused: {
      squareKernels: [1, 3],
      greatestDilation: 1,
      groups: 'oneOrDepthwise',
    },
    // Of the MAX78000; depthwise layers are for the MAX78002. Other strides than 1 take a pool behind.
    noted: {
      groups: 'one',
      greatestStride: 1,
      greatestChannels: 1024,
      imageHeight: [1, 1023],
      imageWidth: [1, 1023],
      greatestPool: 16,
      greatestPoolStride: 16,
      paddedPools: false,
      layers: 32,
      weightBytes: 64 * 768 * 9,
    },
  },
  arithmetic: {
    ...pow2.arithmetic,
    bias: { bits: biasBits, overflow: 'saturate', shift: biasShift, rule: 'halfEven' },
    add: { kind: 'saturating' },
    averagePool: { kind: 'divide', s8: 'trunc0', u8: 'trunc0' },
    globalPool: { kind: 'divide', s8: 'trunc0', u8: 'trunc0' },
  },
};
