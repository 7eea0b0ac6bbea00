// SPDX-License-Identifier: Apache-2.0
import { onnxruntime } from './onnxruntime.js';
import type { TargetSpec } from './target.js';

/** Kendryte K210's convolution unit, as nncase's simulator computes it. */
export const k210: TargetSpec = {
  id: 'k210@1.9',
  aliases: ['k210'],
  summary: 'Kendryte K210: uint8, floored batch-norm multiplier, piecewise linear activation',
  source:
    'kendryte/nncase v1.9.0 modules/k210 (kernels/k210/k210_kernels.h, transforms/k210/kpu_conv2d.cpp), ' +
    'src/evaluator/quantizer.cpp get_fixed_mul, runtime_op_utility.h carry_shift, which for the rising ' +
    'lines used here is half even. The table holds the clamp and one line of slope 2^-k; nncase fits 15 ' +
    'lines to samples instead. Additions, pools and other functions run in float32 on the CPU, as ' +
    'nncase has it. Silicon is unverified. Not run',
  evidence: 'unverified',
  provenBy: [],
  constraints: {
    activations: ['u8'],
    weights: ['u8'],
    weightBits: [8],
    activationZeroPoint: true,
    weightZeroPoint: true,
    perChannelWeights: true,
    narrowWeights: false,
    scales: 'real',
    perChannelClamp: false,
    wideOutputs: [],
  },
  // Other convolutions nncase leaves to the CPU, in float.
  limits: {
    source: 'kendryte/nncase modules/k210 transforms/k210/{kpu_utils.h,fake_kpu_conv2d.cpp}',
    refused: {
      squareKernels: [1, 3],
      greatestDilation: 1,
      groups: 'oneOrDepthwise',
      greatestChannels: 1024,
    },
    noted: { imageHeight: [4, 256], imageWidth: [4, 512] },
  },
  arithmetic: {
    product: 'f64',
    code: {
      kind: 'staged',
      steps: [
        {
          kind: 'scale',
          bits: 22,
          greatestShift: 15,
          encode: 'halfEven',
          rule: 'floor',
          commonShift: false,
          innerBits: 36,
        },
        { kind: 'bias' },
        { kind: 'segments', bits: 16, greatestShift: 43, encode: 'halfEven', rule: 'halfEven' },
      ],
    },
    kinds: { mul: { code: { kind: 'f32' } } },
    accumulator: { bits: 36, overflow: 'wrap', when: 'end', products: 'exact', biasFirst: false },
    clampRounding: 'halfEven',
    add: { kind: 'f32', form: 'direct' },
    averagePool: { kind: 'f32Window' },
    globalPool: { kind: 'f32Window' },
    softmax: undefined,
    unary: { ...onnxruntime.arithmetic.unary },
    inputQuantization: { form: 'divide', rule: 'halfEven' },
  },
};
