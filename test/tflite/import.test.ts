// SPDX-License-Identifier: Apache-2.0
import { isDeepStrictEqual } from 'node:util';
import { LastbitError, ModelError } from '../../src/errors.js';
import type { QuantConv, QuantGraph } from '../../src/graph/quant-graph.js';
import { readOnnx } from '../../src/onnx/file/reader.js';
import { importQuantized } from '../../src/onnx/quantized/import.js';
import { writeQdq } from '../../src/onnx/write/qdq.js';
import { lower } from '../../src/program/lower.js';
import { findTarget } from '../../src/targets/index.js';
import { importTflite } from '../../src/tflite/import.js';
import {
  type FileSpec,
  type OperatorSpec,
  type Options,
  type TensorSpec,
  writeTflite,
} from './flat-writer.js';

const [U8, S8, S16, S32, S4, F32] = [3, 9, 7, 2, 17, 0] as const;

function bytesOf(list: Int32Array | Int8Array | Int16Array): Uint8Array {
  return new Uint8Array(list.buffer.slice(0));
}

/** An activation with one scale. */
function codes(
  name: string,
  shape: number[],
  scale = 0.5,
  zero = 0,
  type: number = S8,
): TensorSpec {
  return { name, type, shape, scales: [scale], zeroPoints: [zero] };
}

const same = 0;
const valid = 1;

/** x [1,4,4,2] -> CONV_2D 3x3, stride 2, SAME, RELU6 -> y [1,2,2,3], scales per channel. */
const conv: FileSpec = {
  tensors: [
    codes('x', [1, 4, 4, 2]),
    {
      name: 'w',
      type: S8,
      shape: [3, 3, 3, 2],
      scales: [0.1, 0.2, 0.3],
      data: bytesOf(Int8Array.from({ length: 54 }, (_, i) => i)),
    },
    { name: 'b', type: S32, shape: [3], scales: [0.05], data: bytesOf(Int32Array.of(1, -2, 3)) },
    codes('y', [1, 2, 2, 3], 0.25, -5),
  ],
  operators: [
    {
      code: 3,
      inputs: [0, 1, 2],
      outputs: [3],
      options: {
        0: { i8: same },
        1: { i32: 2 },
        2: { i32: 2 },
        3: { i8: 3 },
        4: { i32: 1 },
        5: { i32: 1 },
      },
    },
  ],
  inputs: [0],
  outputs: [3],
};

/** Another operator after the convolution. */
function followed(
  operator: Omit<OperatorSpec, 'inputs' | 'outputs'>,
  output: TensorSpec,
  more: readonly TensorSpec[] = [],
): FileSpec {
  const inputs = [3, ...more.map((_, i) => 5 + i)];
  return {
    tensors: [...conv.tensors, output, ...more],
    operators: [...conv.operators, { ...operator, inputs, outputs: [4] }],
    inputs: [0],
    outputs: [4],
  };
}

const load = (spec: FileSpec): QuantGraph => importTflite(writeTflite(spec));
const lastOf = (graph: QuantGraph) => graph.nodes.at(-1)!;

function errorOf(run: () => unknown): ModelError {
  try {
    run();
  } catch (error) {
    if (error instanceof ModelError) return error;
    throw error;
  }
  throw new Error('expected a ModelError');
}

test('a convolution: layout, SAME padding, fused RELU6, scales per channel', () => {
  const graph = load(conv);
  const node = lastOf(graph) as QuantConv;
  expect(node).toMatchObject({
    name: 'y',
    kernel: [3, 3],
    strides: [2, 2],
    pads: [0, 0, 1, 1],
    group: 1,
    clamp: { lo: Float32Array.of(0), hi: Float32Array.of(6) },
  });
  expect(node.weight.shape).toEqual([3, 2, 3, 3]);
  // Channel 1, input 0 is every second of the elements 18 to 35 of OHWI.
  expect([...node.weight.data.slice(18, 27)]).toEqual([18, 20, 22, 24, 26, 28, 30, 32, 34]);
  expect(node.weight.scales).toEqual(Float32Array.of(0.1, 0.2, 0.3));
  expect(graph.values.get('x')).toMatchObject({ shape: [1, 2, 4, 4] });
  expect(graph.values.get('y')).toMatchObject({ shape: [1, 3, 2, 2], zeroPoint: -5 });
  expect(isDeepStrictEqual(importQuantized(readOnnx(writeQdq(graph))), graph)).toBe(true);
});

test('a depthwise convolution with multiplier 2 and uint8 weight zero point', () => {
  const graph = load({
    tensors: [
      codes('x', [1, 3, 3, 2], 0.5, 7, U8),
      {
        name: 'w',
        type: U8,
        shape: [1, 2, 2, 4],
        scales: [0.1],
        zeroPoints: [200],
        data: Uint8Array.from({ length: 16 }, (_, i) => i),
      },
      codes('y', [1, 2, 2, 4], 0.25, 1, U8),
    ],
    operators: [
      {
        code: 4,
        inputs: [0, 1],
        outputs: [2],
        options: { 0: { i8: valid }, 1: { i32: 1 }, 2: { i32: 1 }, 3: { i32: 2 } },
      },
    ],
    inputs: [0],
    outputs: [2],
  });
  const node = lastOf(graph) as QuantConv;
  expect(node).toMatchObject({ group: 2, bias: undefined, pads: [0, 0, 0, 0] });
  expect(node.weight.shape).toEqual([4, 1, 2, 2]);
  expect([...node.weight.data.slice(4, 8)]).toEqual([1, 5, 9, 13]);
  expect([...node.weight.zeroPoints]).toEqual([200]);
});

describe('uint8 weights whose scale names another dimension than 0', () => {
  const layer = (axis: number) =>
    load({
      tensors: [
        codes('x', [1, 3, 3, 2], 0.5, 7, U8),
        { ...codes('w', [1, 2, 2, 2], 0.1, 128, U8), axis, data: new Uint8Array(8).fill(9) },
        codes('y', [1, 2, 2, 2], 0.25, 1, U8),
      ],
      operators: [
        {
          code: 4,
          inputs: [0, 1],
          outputs: [2],
          options: { 0: { i8: valid }, 1: { i32: 1 }, 2: { i32: 1 }, 3: { i32: 1 } },
        },
      ],
      inputs: [0],
      outputs: [2],
    });

  test('XNNPACK leaves them to TFLite: refused there, with the layer', () => {
    const refusal = /target-constraint.*node "y".*another dimension than 0.*tflite-u8/;
    expect(() => lower(layer(3), findTarget('xnnpack'))).toThrow(refusal);
    const again = importQuantized(readOnnx(writeQdq(layer(3))));
    expect(isDeepStrictEqual(again, layer(3))).toBe(true);
    expect(() => lower(again, findTarget('xnnpack'))).toThrow(refusal);
  });

  test('no other target minds', () => {
    expect(lower(layer(3), findTarget('tflite-u8')).ops).toHaveLength(1);
    expect(lower(layer(0), findTarget('xnnpack')).ops).toHaveLength(1);
    expect(layer(0).nodes[0]).not.toHaveProperty('oddWeightAxis');
  });

  test('they travel through ONNX as a list of layers, and a damaged one is one error', () => {
    expect(layer(3).nodes[0]).toMatchObject({ oddWeightAxis: true });
    const model = readOnnx(writeQdq(layer(3)));
    expect(model.metadata.get('lastbit.oddWeightAxes')).toBe('["y"]');
    const metadata = new Map(model.metadata).set('lastbit.oddWeightAxes', '{"y": 1}');
    expect(() => importQuantized({ ...model, metadata })).toThrow(/oddWeightAxes.*JSON list/);
  });
});

test('int4 weights are unpacked low half first', () => {
  const [x, , b, y] = conv.tensors as [TensorSpec, TensorSpec, TensorSpec, TensorSpec];
  const packed = new Uint8Array(27).fill(0x8f);
  const weights: TensorSpec = {
    name: 'w',
    type: S4,
    shape: [3, 3, 3, 2],
    scales: [0.1],
    data: packed,
  };
  const { weight } = lastOf(load({ ...conv, tensors: [x, weights, b, y] })) as QuantConv;
  expect([weight.dtype, weight.bits]).toEqual(['s8', 4]);
  // Both inputs of a position share a byte: -1 in its low half, -8 in its high one.
  expect([...weight.data.slice(0, 18)]).toEqual([...Array(9).fill(-1), ...Array(9).fill(-8)]);
});

test('16x8: s16 activations and 64-bit biases', () => {
  const [, w] = conv.tensors as [TensorSpec, TensorSpec];
  const bias = new Uint8Array(BigInt64Array.of(5n, -6n, 7n).buffer);
  const file = (data: Uint8Array): FileSpec => ({
    ...conv,
    tensors: [
      codes('x', [1, 4, 4, 2], 0.001, 0, S16),
      w,
      { name: 'b', type: 4, shape: [3], scales: [0.1], data },
      codes('y', [1, 2, 2, 3], 0.001, 0, S16),
    ],
  });
  const graph = load(file(bias));
  expect([...(lastOf(graph) as QuantConv).bias!]).toEqual([5, -6, 7]);
  expect(isDeepStrictEqual(importQuantized(readOnnx(writeQdq(graph))), graph)).toBe(true);
  const wide = new Uint8Array(BigInt64Array.of(5n, -6n, 2n ** 31n).buffer);
  expect(errorOf(() => load(file(wide))).message).toMatch(/unsupported-bias.*fit 32 bits/);
});

test('16x8: sums in 32 bits are refused, with a bias and without', () => {
  const [, w, b] = conv.tensors as [TensorSpec, TensorSpec, TensorSpec];
  const [operator] = conv.operators as [OperatorSpec];
  const x = codes('x', [1, 4, 4, 2], 0.001, 0, S16);
  const y = codes('y', [1, 2, 2, 3], 0.001, 0, S16);
  const message = /unsupported-bias.*64-bit biases/;
  expect(errorOf(() => load({ ...conv, tensors: [x, w, b, y] })).message).toMatch(message);
  const without = (options: Options): FileSpec => ({
    ...conv,
    tensors: [x, w, b, y],
    operators: [{ ...operator, inputs: [0, 1], options }],
  });
  const options = operator.options!;
  expect(load(without(options)).nodes).toHaveLength(1);
  const narrow = { ...options, 6: { i8: 2 } };
  expect(errorOf(() => load(without(narrow))).message).toMatch(message);
});

test('16x8: additions by shifts and differences are refused', () => {
  const sum = (code: number, scale: number, options: Options): FileSpec => ({
    tensors: [codes('x', [1, 2, 2, 3], scale, 0, S16), codes('y', [1, 2, 2, 3], 0.5, 0, S16)],
    operators: [{ code, inputs: [0, 0], outputs: [1], options }],
    inputs: [0],
    outputs: [1],
  });
  const [add, sub] = [0, 41];
  const general = { 1: { i8: 0 } };
  const failure = (spec: FileSpec) => errorOf(() => load(spec)).message;
  expect(failure(sum(add, 0.25, {}))).toMatch(/unsupported-addition.*pot_scale_int16/);
  expect(load(sum(add, 0.25, general)).nodes).toHaveLength(1);
  expect(load(sum(add, 0.3, {})).nodes).toHaveLength(1);
  expect(failure(sum(sub, 0.3, general))).toMatch(/unsupported-addition.*use ADD/);
});

test('a flattened image reorders the weights of the layer that reads it', () => {
  const graph = load({
    tensors: [
      ...conv.tensors,
      codes('flat', [1, 12], 0.25, -5),
      {
        name: 'v',
        type: S8,
        shape: [1, 12],
        scales: [0.1],
        data: bytesOf(Int8Array.from({ length: 12 }, (_, i) => i)),
      },
      codes('z', [1, 1]),
    ],
    operators: [
      ...conv.operators,
      { code: 22, inputs: [3], outputs: [4] },
      { code: 9, inputs: [4, 5], outputs: [6] },
    ],
    inputs: [0],
    outputs: [6],
  });
  expect(graph.nodes.map(({ op }) => op)).toEqual(['Conv', 'Reshape', 'Conv']);
  expect([...(lastOf(graph) as QuantConv).weight.data]).toEqual([
    0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11,
  ]);
});

test.each([
  ['HARD_SWISH', 117, { op: 'HardSwish' }],
  ['LOGISTIC', 14, { op: 'Sigmoid' }],
  [
    'RELU',
    19,
    { op: 'Requantize', clamp: { lo: Float32Array.of(0), hi: Float32Array.of(Infinity) } },
  ],
  [
    'RELU_N1_TO_1',
    20,
    { op: 'Requantize', clamp: { lo: Float32Array.of(-1), hi: Float32Array.of(1) } },
  ],
  ['QUANTIZE', 114, { op: 'Requantize' }],
])('%s', (_, code, expected) => {
  const graph = load(followed({ code }, codes('z', [1, 2, 2, 3], 0.1, 3)));
  expect(lastOf(graph)).toMatchObject(expected);
  expect(graph.values.get('z')).toMatchObject({ scale: Math.fround(0.1), zeroPoint: 3 });
});

test('MEAN, PAD, SOFTMAX, ADD of a constant, CONCATENATION', () => {
  const axes: TensorSpec = {
    name: 'axes',
    type: S32,
    shape: [2],
    data: bytesOf(Int32Array.of(1, 2)),
  };
  const mean = load(followed({ code: 40 }, codes('m', [1, 3], 0.1, 3), [axes]));
  expect(mean.nodes.map(({ op }) => op)).toEqual(['Conv', 'GlobalAveragePool', 'Reshape']);
  const paddings = bytesOf(Int32Array.of(0, 0, 1, 2, 3, 4, 0, 0));
  const pads: TensorSpec = { name: 'pads', type: S32, shape: [4, 2], data: paddings };
  const padded = load(followed({ code: 34 }, codes('p', [1, 5, 9, 3], 0.25, -5), [pads]));
  expect(lastOf(padded)).toMatchObject({ op: 'Pad', pads: [1, 3, 2, 4] });
  const beta = { 0: { f32: 0.5 } };
  const soft = load(followed({ code: 25, options: beta }, codes('s', [1, 2, 2, 3], 1 / 256, -128)));
  expect(lastOf(soft)).toMatchObject({ op: 'Softmax', beta: 0.5 });
  const constant = { ...codes('k', [3], 0.2, 1), data: bytesOf(Int8Array.of(4, 5, 6)) };
  const sum = load(followed({ code: 0 }, codes('a', [1, 2, 2, 3], 0.1, 3), [constant]));
  expect(sum.nodes.map(({ op }) => op)).toEqual(['Conv', 'Conv', 'Add']);
  expect([...(sum.nodes[1] as QuantConv).bias!]).toEqual([3, 4, 5]);
  expect(sum.values.get('k')).toMatchObject({ zeroPoint: 1, shape: [1, 3, 2, 2] });
});

test('float ends: QUANTIZE at the front, DEQUANTIZE and SOFTMAX at the back', () => {
  const float = (name: string, shape: number[]): TensorSpec => ({ name, type: F32, shape });
  const graph = load({
    tensors: [
      ...conv.tensors,
      float('in', [1, 4, 4, 2]),
      float('out', [1, 2, 2, 3]),
      float('p', [1, 2, 2, 3]),
    ],
    operators: [
      { code: 114, inputs: [4], outputs: [0] },
      ...conv.operators,
      { code: 6, inputs: [3], outputs: [5] },
      { code: 25, inputs: [5], outputs: [6] },
    ],
    inputs: [4],
    outputs: [6],
  });
  expect([graph.input, graph.outputs]).toEqual(['x', ['y']]);
  expect(graph.notes).toEqual([expect.stringContaining('SOFTMAX')]);
});

describe('bad files end in one error', () => {
  test('a batch of several images', () => {
    const [, ...others] = conv.tensors;
    const batch = { ...conv, tensors: [codes('x', [4, 4, 4, 2]), ...others] };
    expect(() => importTflite(writeTflite(batch))).toThrow(
      /^\[bad-input\] input "x": .*\[4, 4, 4, 2\].*convert with batch size 1$/,
    );
  });

  test('every unsupported operator is listed', () => {
    const file = followed({ code: 28 }, codes('t', [1, 2, 2, 3]));
    const more: FileSpec = {
      ...file,
      tensors: [...file.tensors, codes('u', [1, 2, 2, 3])],
      operators: [...file.operators, { code: 54, inputs: [3], outputs: [5] }],
    };
    const error = errorOf(() => load(more));
    expect(error.code).toBe('unsupported-op');
    expect(error.message).toContain('operator TANH "t"');
    expect(error.message).toContain('operator PRELU "u"');
  });

  test('float models, and float layers between integer ones', () => {
    const float = (name: string, shape: number[]): TensorSpec => ({ name, type: F32, shape });
    const whole: FileSpec = {
      ...conv,
      tensors: conv.tensors.map((t) => float(t.name, [...t.shape])),
    };
    expect(errorOf(() => load(whole)).code).toBe('float-model');
    const mixed = followed({ code: 117 }, float('z', [1, 2, 2, 3]));
    expect(errorOf(() => load(mixed)).message).toMatch(/float-layer.*HARD_SWISH "z"/);
  });

  test('shapes, scales and axes that do not fit', () => {
    const [x, w, b, y] = conv.tensors as [TensorSpec, TensorSpec, TensorSpec, TensorSpec];
    const withTensors = (...tensors: TensorSpec[]) =>
      errorOf(() => load({ ...conv, tensors })).message;
    expect(withTensors(x, { ...w, axis: 3 }, b, y)).toMatch(/bad-quantization-axis/);
    expect(withTensors(x, w, b, { ...y, shape: [1, 3, 3, 3] })).toMatch(/bad-shape/);
    const bare: TensorSpec = { name: 'y', type: S8, shape: y.shape };
    expect(withTensors(x, w, b, bare)).toMatch(/tensor "y" has no scale/);
    expect(withTensors(x, { ...w, scales: [0], zeroPoints: [0] }, b, y)).toMatch(
      /bad-quantization/,
    );
    expect(withTensors({ ...x, zeroPoints: [300] }, w, b, y)).toMatch(/zero point 300/);
    expect(withTensors(x, { ...w, data: new Uint8Array(53) }, b, y)).toMatch(/needs 54 bytes/);
  });

  test('an operator that reads itself, or what comes later', () => {
    const file = followed({ code: 117 }, codes('z', [1, 2, 2, 3]));
    const [first, second] = file.operators as [OperatorSpec, OperatorSpec];
    const loop: FileSpec = { ...file, operators: [first, { ...second, inputs: [4] }] };
    expect(errorOf(() => load(loop)).message).toMatch(/made by nothing before it/);
    const reversed: FileSpec = { ...file, operators: [second, first] };
    expect(errorOf(() => load(reversed)).message).toMatch(/made by nothing before it/);
  });

  test('not TFLite, empty, and cut anywhere', () => {
    expect(errorOf(() => importTflite(new Uint8Array(0))).code).toBe('not-tflite');
    expect(errorOf(() => importTflite(new Uint8Array(64))).code).toBe('not-tflite');
    const bytes = writeTflite(conv);
    for (let length = 8; length < bytes.length; length += 3) {
      let error: unknown;
      try {
        importTflite(bytes.slice(0, length));
      } catch (caught) {
        error = caught;
      }
      if (error !== undefined) expect(error).toBeInstanceOf(ModelError);
    }
  });

  test('any byte changed: a graph or an error of lastbit, in no time', () => {
    const original = writeTflite(followed({ code: 117 }, codes('z', [1, 2, 2, 3])));
    const start = Date.now();
    let refused = 0;
    for (let at = 0; at < original.length; at++) {
      for (const value of [0, 0x7f, 0x80, 0xff]) {
        const bytes = original.slice();
        bytes[at] = value;
        try {
          importTflite(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(LastbitError);
          refused++;
        }
      }
    }
    expect(refused).toBeGreaterThan(original.length / 4);
    expect(Date.now() - start).toBeLessThan(20000);
  });
});
