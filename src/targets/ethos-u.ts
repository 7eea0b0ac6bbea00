// SPDX-License-Identifier: Apache-2.0
import { tflm } from './tflm.js';
import type { TargetSpec } from './target.js';

/** Arm Ethos-U55 and U65, as the Vela compiler sets their registers. */
export const ethosU: TargetSpec = {
  ...tflm,
  id: 'ethos-u@5.2',
  aliases: ['ethos-u', 'ethos-u55', 'ethos-u65'],
  summary: 'Arm Ethos-U with Vela: 31-bit scales, double rounding, adds that rescale one operand',
  source:
    'ethos-u-vela 5.2.0 ethosu/vela/{scaling.py,weight_compressor.py,register_command_stream_generator.py}; ' +
    'its register values were compared with these (test/targets/oracle-vela.test.ts). How the hardware ' +
    'rounds is known by the name of its mode only, and its 40-bit bias holds any 32-bit one',
  evidence: 'unverified',
  provenBy: [],
  constraints: {
    ...tflm.constraints,
    activations: ['s8', 'u8'],
    weights: ['s8', 'u8'],
    weightBits: [8],
    weightZeroPoint: true,
  },
  // Other layers Vela leaves to the CPU.
  limits: {
    source: 'ethos-u-vela SUPPORTED_OPS.md',
    refused: {
      greatestKernel: 64,
      greatestKernelArea: 4096,
      greatestStride: 3,
      greatestPool: 256,
      greatestPoolStride: 3,
    },
  },
  arithmetic: {
    ...tflm.arithmetic,
    resize: undefined,
    unary: { ...tflm.arithmetic.unary, leakyRelu: undefined, gelu: undefined },
    kinds: { fullyConnected: { product: 'f32ThenF64' }, mul: { product: 'f32' } },
    u8: { product: 'f32ThenF64', kinds: { mul: { product: 'f32' } } },
    add: { kind: 'rescaled', leftShift: 20, folded: true, rule: 'gemmlowp2' },
    averagePool: { kind: 'flooredReciprocal', bits: 31, rule: 'gemmlowp2' },
  },
};
