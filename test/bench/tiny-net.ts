// SPDX-License-Identifier: Apache-2.0
import type { QuantGraph, QuantNode, QuantValue } from '../../src/graph/quant-graph.js';
import { Dice } from '../onnx/write/random-quant-graph.js';

const byte = (name: string, shape: readonly number[], zeroPoint: number): QuantValue => ({
  name,
  shape,
  dtype: 's8',
  bits: 8,
  scale: Math.fround(0.05),
  zeroPoint,
});

/** Convolution with ReLU6, depthwise, residual, global pool, classifier; s8, scales per channel. */
export function tinyNet(seed = 1): QuantGraph {
  const dice = new Dice(seed);
  const conv = (
    name: string,
    [input, output]: readonly [string, string],
    [oc, ic, k]: readonly [number, number, number],
    group = 1,
  ): QuantNode => ({
    op: 'Conv',
    name,
    inputs: [input],
    output,
    kernel: [k, k],
    strides: [1, 1],
    pads: k === 1 ? [0, 0, 0, 0] : [1, 1, 1, 1],
    dilations: [1, 1],
    group,
    weight: {
      dtype: 's8',
      bits: 8,
      shape: [oc, ic, k, k],
      data: Int8Array.from({ length: oc * ic * k * k }, () => dice.int(-127, 127)),
      scales: Float32Array.from({ length: oc }, () => Math.fround(0.001 + 0.001 * dice.next())),
      zeroPoints: Int32Array.of(0),
    },
    bias: Int32Array.from({ length: oc }, () => dice.int(-2000, 2000)),
    fullyConnected: false,
    ...(name === 'expand' ? { clamp: { lo: Float32Array.of(0), hi: Float32Array.of(6) } } : {}),
  });
  const values = [
    byte('image', [1, 3, 12, 12], 0),
    byte('wide', [1, 16, 12, 12], -128),
    byte('deep', [1, 16, 12, 12], 3),
    byte('sum', [1, 16, 12, 12], -5),
    byte('mean', [1, 16, 1, 1], -5),
    byte('logits', [1, 10, 1, 1], 7),
  ];
  return {
    name: 'tiny',
    input: 'image',
    outputs: ['logits'],
    values: new Map(values.map((value) => [value.name, value])),
    nodes: [
      conv('expand', ['image', 'wide'], [16, 3, 3]),
      conv('depthwise', ['wide', 'deep'], [16, 1, 3], 16),
      { op: 'Add', name: 'residual', inputs: ['wide', 'deep'], output: 'sum' },
      { op: 'GlobalAveragePool', name: 'pool', inputs: ['sum'], output: 'mean' },
      conv('classifier', ['mean', 'logits'], [10, 16, 1]),
    ],
    metadata: {},
    origin: 'lastbit',
  };
}
