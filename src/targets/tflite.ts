// SPDX-License-Identifier: Apache-2.0
import { tflm } from './tflm.js';
import type { TargetSpec, WideLayers } from './target.js';

const oracles = [
  'test/targets/oracle-ties.test.ts',
  'test/targets/oracle-nets.test.ts',
  'test/targets/oracle-wide.test.ts',
];

const gemmlowp = { kind: 'q31', rule: 'gemmlowp2' } as const;

/** 16x8, where the optimized kernels are the reference ones but for the addition. */
const wide: WideLayers = {
  code: { kind: 'q31', rule: 'halfUp', reduced: true },
  kinds: {
    fullyConnected: { product: 'f64', code: { kind: 'f64' } },
    mul: { product: 'f32', code: gemmlowp },
  },
  accumulatorBits: 64,
  add: { kind: 'rescaled', leftShift: 15, rule: 'gemmlowp2' },
  globalPool: { kind: 'mean', rule: 'gemmlowp2' },
  requantize: { kind: 'code', code: gemmlowp },
  softmax: { rule: 'gemmlowp2', tables: 'f64' },
};

/** LiteRT's reference kernels. */
export const tfliteRef: TargetSpec = {
  id: 'litert-ref@2.3.0',
  aliases: ['tflite-ref'],
  summary:
    'LiteRT reference kernels, int8, uint8, 16x8: double rounding, fully connected in float64',
  source:
    'ai-edge-litert 2.3.0, resolver BUILTIN_REF, on x86; tensorflow/tflite-micro ' +
    'tensorflow/lite/kernels/internal/reference for the formulas they share',
  evidence: 'verified',
  provenBy: oracles,
  readsTflite: true,
  constraints: {
    activations: ['s8', 'u8', 's16'],
    weights: ['s8', 'u8'],
    weightBits: [8, 4],
    activationZeroPoint: true,
    weightZeroPoint: true,
    perChannelWeights: true,
    narrowWeights: true,
    scales: 'real',
    perChannelClamp: false,
    wideOutputs: [],
  },
  arithmetic: {
    ...tflm.arithmetic,
    resize: { ...tflm.arithmetic.resize, u8: { kind: 'f32Codes' } },
    kinds: {
      fullyConnected: { code: { kind: 'f64' } },
      mul: { product: 'f32' },
    },
    u8: {
      product: 'f32ThenF64',
      kinds: {
        fullyConnected: { product: 'f64' },
        mul: { product: 'f32' },
      },
    },
    s16: wide,
    unary: {
      ...tflm.arithmetic.unary,
      gelu: 'f32HalfAway',
      rectify: { kind: 'code', product: 'f32', code: gemmlowp },
      concat: { kind: 'f32Biased' },
    },
  },
};

/** The same for uint8 alone, which is what a quantizer for it needs to know. */
export const tfliteU8: TargetSpec = {
  ...tfliteRef,
  id: 'litert-u8@2.3.0',
  aliases: ['tflite-u8'],
  summary: 'LiteRT reference kernels, legacy uint8: weights with zero points, per tensor',
  constraints: {
    activations: ['u8'],
    weights: ['u8'],
    weightBits: [8],
    activationZeroPoint: true,
    weightZeroPoint: true,
    perChannelWeights: false,
    narrowWeights: false,
    scales: 'real',
    perChannelClamp: false,
    wideOutputs: [],
  },
};

/** gemmlowp for every layer, as TensorFlow Lite began. */
const firstTflite: TargetSpec = {
  ...tfliteU8,
  evidence: 'unverified',
  provenBy: [],
  arithmetic: { ...tflm.arithmetic, product: 'f32ThenF64' },
};

/** TensorFlow-era 8-bit arithmetic, as Sheng et al. quantized MobileNetV1 with it. */
export const sheng2018: TargetSpec = {
  ...firstTflite,
  id: 'sheng2018@1',
  aliases: ['sheng2018'],
  summary: 'asymmetric uint8 per tensor, TensorFlow-era arithmetic (Sheng et al. 2018)',
  source: 'arXiv 1803.08607, which names no rounding; gemmlowp is taken',
};

/** Jacob et al., "Quantization and Training of Neural Networks for Efficient Inference". */
export const jacob2018: TargetSpec = {
  ...firstTflite,
  id: 'jacob2018@1',
  aliases: ['jacob2018'],
  summary: 'asymmetric uint8 per tensor, gemmlowp (Jacob et al. 2018)',
  source: 'arXiv 1712.05877 and google/gemmlowp',
  arithmetic: tflm.arithmetic,
};

const ruy = { kind: 'q31', rule: 'ruyx86' } as const;

/** LiteRT's optimized kernels on x86, without delegates. */
export const tfliteBuiltinX86: TargetSpec = {
  ...tfliteRef,
  id: 'litert-builtin-x86@2.3.0',
  aliases: ['tflite-builtin', 'tflite-builtin-x86'],
  summary: 'LiteRT optimized kernels on x86, no delegate: ruy rounds twice, both half up',
  source:
    'ai-edge-litert 2.3.0, resolver BUILTIN_WITHOUT_DEFAULT_DELEGATES, on x86 with AVX512; ' +
    'google/ruy ruy/kernel_avx512.cc for the double rounding',
  arithmetic: {
    ...tfliteRef.arithmetic,
    resize: { ...tflm.arithmetic.resize, u8: { kind: 'f32Shares' } },
    code: ruy,
    kinds: {
      depthwise: { code: ruy, rest: { vector: 8, code: gemmlowp } },
      fullyConnectedPerTensor: { product: 'f32ThenF64' },
      mul: { product: 'f32', code: gemmlowp },
    },
    u8: {
      product: 'f32ThenF64',
      kinds: {
        depthwise: { code: gemmlowp },
        mul: { product: 'f32', code: gemmlowp },
      },
    },
    // Of s8 codes, one shift to the left by 20 less the multiplier's, then one rounding.
    add: {
      kind: 'rescaled',
      leftShift: 20,
      folded: true,
      flooredU8: true,
      vector: 8,
      rule: 'gemmlowp2',
    },
    globalPool: {
      kind: 'rawMean',
      rule: 'ruyx86',
      rest: { vector: 16, rule: 'gemmlowp2' },
      row: 'gemmlowp2',
    },
    unary: {
      ...tfliteRef.arithmetic.unary,
      requantize: { kind: 'code', code: ruy, rest: { vector: 16, code: gemmlowp } },
    },
    s16: { ...wide, add: { kind: 'rescaled', leftShift: 15, folded: true, rule: 'gemmlowp2' } },
    softmax: { kind: 'f32Table', s8: 'halfAway', u8: 'truncHalf' },
    inputQuantization: { form: 'multiplyInverse', rule: 'halfEven' },
  },
};

/** TFLite's built-in kernels over ruy on Arm. */
export const tfliteBuiltinArm: TargetSpec = {
  ...tfliteBuiltinX86,
  id: 'litert-builtin-arm@2.3.0',
  aliases: ['tflite-builtin-arm'],
  summary: 'TFLite built-in int8 kernels on Arm: ruy rounds once, half up',
  source: 'google/ruy ruy/kernel_arm64.cc and apply_multiplier.cc; not run',
  evidence: 'unverified',
  provenBy: [],
  arithmetic: {
    ...tfliteBuiltinX86.arithmetic,
    code: { kind: 'q31', rule: 'halfUp' },
    softmax: { kind: 'f32Table', s8: 'halfAway', u8: 'halfAway' },
  },
};
