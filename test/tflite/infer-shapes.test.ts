// SPDX-License-Identifier: Apache-2.0
import type { QuantGraph } from '../../src/graph/quant-graph.js';
import { importTflite } from '../../src/tflite/import.js';
import { type FileSpec, type TensorSpec, writeTflite } from './flat-writer.js';

const [s8, s32] = [9, 2];

const codes = (name: string, shape: number[], scale = 0.5): TensorSpec => ({
  name,
  type: s8,
  shape,
  scales: [scale],
  zeroPoints: [0],
});

const weights = (name: string, shape: number[]): TensorSpec => ({
  ...codes(name, shape, 0.1),
  data: Uint8Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i % 100),
});

const integers = (name: string, shape: number[], ...list: number[]): TensorSpec => ({
  name,
  type: s32,
  shape,
  data: new Uint8Array(Int32Array.from(list).buffer),
});

const window = { 0: { i8: 0 }, 1: { i32: 2 }, 2: { i32: 1 } };

/** Every operator that has a rule, each with the shape that TFLite gives its result. */
const whole: FileSpec = {
  tensors: [
    codes('x', [1, 7, 9, 2]),
    weights('w', [4, 3, 3, 2]),
    codes('conv', [1, 7, 5, 4]),
    weights('v', [1, 2, 2, 8]),
    codes('depthwise', [1, 6, 4, 8]),
    codes('max', [1, 3, 2, 8]),
    codes('relu', [1, 3, 2, 8]),
    codes('sum', [1, 3, 2, 8]),
    codes('joined', [1, 3, 2, 16]),
    integers('paddings', [4, 2], 0, 0, 1, 0, 0, 2, 0, 0),
    codes('padded', [1, 4, 4, 16]),
    integers('axes', [2], 1, 2),
    codes('mean', [1, 1, 1, 16]),
    integers('flat', [2], 1, -1),
    codes('row', [1, 16]),
    weights('u', [5, 16]),
    codes('scores', [1, 5]),
    codes('changed', [1, 5], 0.25),
  ],
  operators: [
    { code: 3, inputs: [0, 1], outputs: [2], options: { ...window, 4: { i32: 1 }, 5: { i32: 1 } } },
    {
      code: 4,
      inputs: [2, 3],
      outputs: [4],
      options: { 0: { i8: 1 }, 1: { i32: 1 }, 2: { i32: 1 }, 3: { i32: 2 } },
    },
    {
      code: 17,
      inputs: [4],
      outputs: [5],
      options: { 0: { i8: 1 }, 1: { i32: 2 }, 2: { i32: 2 }, 3: { i32: 2 }, 4: { i32: 2 } },
    },
    { code: 19, inputs: [5], outputs: [6] },
    { code: 0, inputs: [5, 6], outputs: [7], options: { 0: { i8: 0 } } },
    { code: 2, inputs: [7, 6], outputs: [8], options: { 0: { i32: -1 } } },
    { code: 34, inputs: [8, 9], outputs: [10] },
    { code: 40, inputs: [10, 11], outputs: [12], options: { 0: { i8: 1 } } },
    { code: 22, inputs: [12, 13], outputs: [14] },
    { code: 9, inputs: [14, 15], outputs: [16], options: { 0: { i8: 0 } } },
    { code: 114, inputs: [16], outputs: [17] },
  ],
  inputs: [0],
  outputs: [17],
};

const load = (spec: FileSpec): QuantGraph => importTflite(writeTflite(spec));

test('results without a shape get that of their operator', () => {
  const results = new Set(whole.operators.flatMap(({ outputs }) => outputs));
  const bare = whole.tensors.map((tensor, i) =>
    results.has(i) ? { ...tensor, shape: [] } : tensor,
  );
  const graph = load({ ...whole, tensors: bare });
  expect(graph).toEqual(load(whole));
  expect(graph.nodes.length).toBeGreaterThanOrEqual(whole.operators.length);
});

test('stated shapes are checked, not replaced', () => {
  const wrong = whole.tensors.map((tensor) =>
    tensor.name === 'conv' ? { ...tensor, shape: [1, 7, 4, 4] } : tensor,
  );
  expect(() => load({ ...whole, tensors: wrong })).toThrow(/bad-shape.*CONV_2D/);
});
