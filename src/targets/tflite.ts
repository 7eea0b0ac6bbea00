// SPDX-License-Identifier: Apache-2.0
import { tflm } from './tflm.js';
import type { TargetSpec } from './target.js';

/** TFLite's legacy uint8 kernels, reference form. */
export const tfliteU8: TargetSpec = {
  id: 'tflite-u8@2.10',
  aliases: ['tflite-u8'],
  summary: 'TFLite legacy uint8: weights with zero points, per tensor, double rounding',
  source:
    'tensorflow/tflite-micro tensorflow/lite/kernels/internal/reference (conv.h, add.h, ' +
    'pooling.h), tensorflow/lite/kernels/kernel_util.cc; not yet run against a wheel',
  evidence: 'unverified',
  provenBy: [],
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
  arithmetic: {
    ...tflm.arithmetic,
    product: 'f32ThenF64',
    // uint8 CONCATENATION rescales in float; its requantization is QUANTIZE's.
    unary: { ...tflm.arithmetic.unary },
  },
};

/** TensorFlow-era 8-bit arithmetic, as Sheng et al. quantized MobileNetV1 with it. */
export const sheng2018: TargetSpec = {
  ...tfliteU8,
  id: 'sheng2018@1',
  aliases: ['sheng2018'],
  summary: 'asymmetric uint8 per tensor, TensorFlow-era arithmetic (Sheng et al. 2018)',
  source: 'arXiv 1803.08607, which names no rounding; gemmlowp is taken',
};

/** Jacob et al., "Quantization and Training of Neural Networks for Efficient Inference". */
export const jacob2018: TargetSpec = {
  ...tfliteU8,
  id: 'jacob2018@1',
  aliases: ['jacob2018'],
  summary: 'asymmetric uint8 per tensor, gemmlowp (Jacob et al. 2018)',
  source: 'arXiv 1712.05877 and google/gemmlowp',
  arithmetic: { ...tfliteU8.arithmetic, product: 'f64' },
};

/** TFLite's built-in kernels over ruy on x86 (AVX2 and AVX512). */
export const tfliteBuiltinX86: TargetSpec = {
  ...tflm,
  id: 'tflite-builtin-x86@2.10',
  aliases: ['tflite-builtin-x86'],
  summary: 'TFLite built-in int8 kernels on x86: ruy rounds twice, both half up',
  source:
    'google/ruy ruy/kernel_avx2_fma.cc and kernel_avx512.cc; TFLite optimized_ops; which kernels ' +
    'use it depends on the release and has not been run',
  evidence: 'unverified',
  provenBy: [],
  constraints: { ...tflm.constraints, weightBits: [8] },
  arithmetic: {
    ...tflm.arithmetic,
    code: { kind: 'q31', rule: 'ruyx86' },
    softmax: { kind: 'f32Table', s8: 'halfAway', u8: 'truncHalf' },
  },
};

/** TFLite's built-in kernels over ruy on Arm. */
export const tfliteBuiltinArm: TargetSpec = {
  ...tfliteBuiltinX86,
  id: 'tflite-builtin-arm@2.10',
  aliases: ['tflite-builtin-arm'],
  summary: 'TFLite built-in int8 kernels on Arm: ruy rounds once, half up',
  source: 'google/ruy ruy/kernel_arm64.cc and apply_multiplier.cc; not run',
  arithmetic: {
    ...tfliteBuiltinX86.arithmetic,
    code: { kind: 'q31', rule: 'halfUp' },
    softmax: { kind: 'f32Table', s8: 'halfAway', u8: 'halfAway' },
  },
};
