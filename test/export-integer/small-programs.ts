// SPDX-License-Identifier: Apache-2.0
// Programs in few words: convolutions side by side on one input.
import { codeLimits, type CodeType } from '../../src/numeric/code-types.js';
import type { Accumulator, ConvOp, Program, ProgramTensor } from '../../src/program/program.js';

export const plain: Accumulator = {
  bits: 32,
  overflow: 'wrap',
  when: 'end',
  products: 'exact',
  biasFirst: false,
};

export interface Layer extends Partial<Omit<ConvOp, 'op' | 'name' | 'inputs' | 'output'>> {
  readonly name: string;
  readonly dtype?: CodeType;
  readonly zeroPoint?: number;
}

/** A program whose layers all read the input; each is a pointwise convolution unless given. */
export function layersOf(
  input: Pick<ProgramTensor, 'dtype' | 'height' | 'width' | 'channels' | 'zeroPoint'>,
  layers: readonly Layer[],
): Program {
  const outputs = layers.map(({ name, dtype = 's8', zeroPoint = 0, bias }): ProgramTensor => {
    return {
      ...input,
      name: `${name}_out`,
      dtype,
      zeroPoint,
      channels: bias?.length ?? 1,
      scale: 0.5,
    };
  });
  return {
    target: 'test@1',
    metadata: {},
    tensors: [{ ...input, name: 'x', scale: 0.25 }, ...outputs],
    input: 0,
    inputQuantization: { form: 'divide', rule: 'halfAway' },
    outputs: [1],
    ops: layers.map((layer, i) => convOf(layer, i + 1)),
  };
}

function convOf(layer: Layer, output: number): ConvOp {
  const { name, dtype = 's8', ...given } = layer;
  const [least, greatest] = codeLimits(dtype);
  return {
    op: 'conv',
    name,
    inputs: [0],
    output,
    kernel: [1, 1],
    strides: [1, 1],
    dilations: [1, 1],
    pads: [0, 0, 0, 0],
    groups: 1,
    weightType: 's8',
    weights: Int8Array.of(3),
    weightZeroPoints: Int32Array.of(0),
    bias: Int32Array.of(0),
    accumulator: plain,
    requant: { kind: 'shift', shift: Int8Array.of(2), rule: 'halfUp' },
    clamp: { lo: Int32Array.of(least), hi: Int32Array.of(greatest) },
    ...given,
  };
}
