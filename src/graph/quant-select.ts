// SPDX-License-Identifier: Apache-2.0
// Layers that take or negate channels, which quantized graphs have no operation for.
import type { QuantConv, QuantValue, QuantWeight } from './quant-graph.js';

/**
 * A 1 x 1 convolution without bias whose weights are at scale 1. With weights of one and zero it
 * returns exactly the codes that it takes, under every rounding.
 *
 * @param input [1,C,H,W]
 * @param unsignedWeights whether layers over u8 codes have u8 weights, as in uint8 TFLite files
 */
export function pointwise(
  name: string,
  input: QuantValue,
  output: string,
  { outputs, group }: { readonly outputs: number; readonly group: number },
  weightAt: (o: number, i: number) => number,
  unsignedWeights = true,
): QuantConv {
  const inputs = input.shape[1]! / group;
  const codes = Array.from({ length: outputs * inputs }, (_, at) =>
    weightAt(Math.floor(at / inputs), at % inputs),
  );
  return {
    op: 'Conv',
    name,
    inputs: [input.name],
    output,
    kernel: [1, 1],
    strides: [1, 1],
    pads: [0, 0, 0, 0],
    dilations: [1, 1],
    group,
    weight: unitWeight(unsignedWeights && input.dtype === 'u8', [outputs, inputs, 1, 1], codes),
    bias: undefined,
    fullyConnected: false,
  };
}

function unitWeight(
  isUnsigned: boolean,
  shape: readonly number[],
  codes: readonly number[],
): QuantWeight {
  const common = { bits: 8, shape, scales: Float32Array.of(1) };
  if (!isUnsigned) {
    return { ...common, dtype: 's8', data: Int8Array.from(codes), zeroPoints: Int32Array.of(0) };
  }
  const data = Uint8Array.from(codes, (code) => code + 1);
  return { ...common, dtype: 'u8', data, zeroPoints: Int32Array.of(1) };
}

/** A convolution whose outputs are the channels of `input` at `picked`, code by code. */
export function channelsTaken(
  name: string,
  input: QuantValue,
  output: string,
  picked: readonly number[],
  unsignedWeights: boolean,
): QuantConv {
  const weightAt = (o: number, i: number): number => (i === picked[o] ? 1 : 0);
  const size = { outputs: picked.length, group: 1 };
  return pointwise(name, input, output, size, weightAt, unsignedWeights);
}
