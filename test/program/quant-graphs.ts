// SPDX-License-Identifier: Apache-2.0
// Quantized graphs in few words, for tests of lowering.
import type { QuantConv, QuantGraph, QuantNode, QuantValue } from '../../src/graph/quant-graph.js';

/** A value of [1, C, H, W]; s8, scale 1 and zero point 0 unless given. */
export function value(
  name: string,
  shape: readonly number[],
  given: Partial<QuantValue> = {},
): QuantValue {
  const base = { name, shape, dtype: 's8', bits: 8, scale: 1, zeroPoint: 0 } as const;
  const result = { ...base, ...given };
  return { ...result, scale: Math.fround(result.scale) };
}

/** A pointwise convolution from `x` to `y` with weights 1 unless given. */
export function convNode(
  outputs: number,
  inputs: number,
  given: Partial<QuantConv> = {},
  scales = [1],
): QuantConv {
  return {
    op: 'Conv',
    name: 'conv',
    inputs: ['x'],
    output: 'y',
    kernel: [1, 1],
    strides: [1, 1],
    pads: [0, 0, 0, 0],
    dilations: [1, 1],
    group: 1,
    weight: {
      dtype: 's8',
      bits: 8,
      shape: [outputs, inputs, 1, 1],
      data: new Int8Array(outputs * inputs).fill(1),
      scales: Float32Array.from(scales),
      zeroPoints: new Int32Array(scales.length),
    },
    bias: undefined,
    fullyConnected: false,
    ...given,
  };
}

/** The first value is the input, the last node's output the output. */
export function graphOf(values: readonly QuantValue[], nodes: readonly QuantNode[]): QuantGraph {
  return {
    name: 'test',
    input: values[0]!.name,
    outputs: [nodes.at(-1)!.output],
    values: new Map(values.map((v) => [v.name, v])),
    nodes,
    metadata: { target: 'tflm@2026.10', preprocess: 'tf', version: '0.1.0' },
    origin: 'lastbit',
  };
}
