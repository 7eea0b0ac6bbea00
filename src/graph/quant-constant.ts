// SPDX-License-Identifier: Apache-2.0
import type { QuantConv, QuantNode, QuantReshape, QuantValue } from './quant-graph.js';

/** Codes that a file stores for one operand of an addition or multiplication. */
export interface ConstantOperand extends Pick<
  QuantValue,
  'name' | 'dtype' | 'bits' | 'scale' | 'zeroPoint'
> {
  /** One for all channels, or one per channel. */
  readonly codes: ArrayLike<number>;
}

/** Layers and values to add, in order; the last value is the constant. */
export interface ConstantLayers {
  readonly nodes: readonly QuantNode[];
  readonly values: readonly QuantValue[];
}

/**
 * A constant operand as layers, since every value of a quantized graph comes from a layer: a
 * depthwise 1 x 1 convolution of `like` with weights of zero, whose bias is the constant. Its
 * output scale is (input scale x weight scale) to within float32 rounding, so the factor is 1 and
 * every rounding to nearest returns the bias: the codes come out as stored.
 *
 * @param like the other operand, [1,C,H,W] or [1,C]; the constant is repeated over its image
 * @param unsignedWeights whether layers over u8 codes have u8 weights, as in uint8 TFLite files
 * @returns the layers and values to add, in order; the last value is `constant.name`
 */
export function constantLike(
  like: QuantValue,
  constant: ConstantOperand,
  unsignedWeights = false,
): ConstantLayers {
  const { name, codes } = constant;
  const { dtype, bits, scale, zeroPoint } = constant;
  const output: QuantValue = { name, shape: like.shape, dtype, bits, scale, zeroPoint };
  if (like.shape.length !== 2) {
    return { nodes: [repeat(name, like, output, codes, unsignedWeights)], values: [output] };
  }
  const image = [1, like.shape[1]!, 1, 1];
  const input = { ...like, name: `${name}/operand`, shape: image };
  const constantImage = { ...output, name: `${name}/image`, shape: image };
  const reshape = (from: QuantValue, to: QuantValue): QuantReshape => ({
    op: 'Reshape',
    name: `${to.name}/reshape`,
    inputs: [from.name],
    output: to.name,
  });
  return {
    nodes: [
      reshape(like, input),
      repeat(`${name}/constant`, input, constantImage, codes, unsignedWeights),
      reshape(constantImage, output),
    ],
    values: [input, constantImage, output],
  };
}

function repeat(
  name: string,
  input: QuantValue,
  output: QuantValue,
  codes: ArrayLike<number>,
  unsignedWeights: boolean,
): QuantConv {
  const channels = input.shape[1]!;
  const bias = Int32Array.from(
    { length: channels },
    (_, c) => codes[codes.length === 1 ? 0 : c]! - output.zeroPoint,
  );
  return {
    op: 'Conv',
    name,
    inputs: [input.name],
    output: output.name,
    kernel: [1, 1],
    strides: [1, 1],
    pads: [0, 0, 0, 0],
    dilations: [1, 1],
    group: channels,
    weight: {
      ...(input.dtype === 'u8' && unsignedWeights
        ? { dtype: 'u8', data: new Uint8Array(channels) }
        : { dtype: 's8', data: new Int8Array(channels) }),
      bits: 8,
      shape: [channels, 1, 1, 1],
      scales: Float32Array.of(output.scale / input.scale),
      zeroPoints: Int32Array.of(0),
    },
    bias,
    fullyConnected: false,
  };
}
