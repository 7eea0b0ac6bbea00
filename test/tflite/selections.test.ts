// SPDX-License-Identifier: Apache-2.0
// Operators that take channels, negate, or only compute shapes; each on every code.
import { ModelError } from '../../src/errors.js';
import { interpret } from '../../src/program/interpret.js';
import { lower } from '../../src/program/lower.js';
import { findTarget } from '../../src/targets/index.js';
import { importTflite } from '../../src/tflite/import.js';
import { type FileSpec, type OperatorSpec, type TensorSpec, writeTflite } from './flat-writer.js';

const [F32, S32, U8, S8] = [0, 2, 3, 9] as const;

function codes(name: string, shape: number[], scale: number, zero: number, type: number) {
  return { name, type, shape, scales: [scale], zeroPoints: [zero] };
}

function integers(name: string, values: readonly number[]): TensorSpec {
  const data = new Uint8Array(Int32Array.from(values).buffer);
  return { name, type: S32, shape: [values.length], data };
}

function file(
  tensors: readonly TensorSpec[],
  operators: readonly OperatorSpec[],
  inputs: readonly number[],
  outputs: readonly number[],
): Uint8Array {
  const spec: FileSpec = { tensors, operators, inputs, outputs };
  return writeTflite(spec);
}

/** All outputs for an image that holds every code, 64 positions of 4 channels. */
function run(bytes: Uint8Array, target: string, type: number) {
  const program = lower(importTflite(bytes), findTarget(target));
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  const { outputs } = interpret(program, type === U8 ? all : new Int8Array(all.buffer));
  return outputs.map(({ data }) => Array.from(data, Number));
}

const kinds = [
  [S8, 'tflm'],
  [S8, 'xnnpack'],
  [U8, 'tflite-u8'],
] as const;

describe.each(kinds)('type %i under %s', (type, target) => {
  const image = codes('x', [1, 8, 8, 4], 0.3, 5, type);
  const part = (name: string, channels: number) => codes(name, [1, 8, 8, channels], 0.3, 5, type);
  const every = (bytes: number[]) => (type === U8 ? bytes : bytes.map((b) => (b << 24) >> 24));
  const channels = (list: readonly number[]) =>
    every(Array.from({ length: 64 }, (_, p) => list.map((c) => 4 * p + c)).flat());

  test('SPLIT and SPLIT_V', () => {
    const split = file(
      [integers('axis', [-1]), image, part('a', 2), part('b', 2)],
      [{ code: 49, inputs: [0, 1], outputs: [2, 3], options: { 0: { i32: 2 } } }],
      [1],
      [2, 3],
    );
    expect(run(split, target, type)).toEqual([channels([0, 1]), channels([2, 3])]);
    const splitV = file(
      [image, integers('sizes', [1, 3]), integers('axis', [3]), part('a', 1), part('b', 3)],
      [{ code: 102, inputs: [0, 1, 2], outputs: [3, 4], options: { 0: { i32: 2 } } }],
      [0],
      [3, 4],
    );
    expect(run(splitV, target, type)).toEqual([channels([0]), channels([1, 2, 3])]);
  });

  test('SLICE and STRIDED_SLICE', () => {
    const begin = integers('begin', [0, 0, 0, 1]);
    const slice = file(
      [image, begin, integers('size', [1, 8, 8, 2]), part('y', 2)],
      [{ code: 65, inputs: [0, 1, 2], outputs: [3] }],
      [0],
      [3],
    );
    expect(run(slice, target, type)).toEqual([channels([1, 2])]);
    const end = integers('end', [0, 0, 0, 4]);
    const strided = (steps: number[], masked: number) =>
      file(
        [image, begin, end, integers('steps', steps), part('y', 3)],
        [
          {
            code: 45,
            inputs: [0, 1, 2, 3],
            outputs: [4],
            options: { 0: { i32: masked }, 1: { i32: 7 } },
          },
        ],
        [0],
        [4],
      );
    expect(run(strided([1, 1, 1, 1], 0), target, type)).toEqual([channels([1, 2, 3])]);
    expect(run(strided([1, 1, 1, 1], 8), target, type)).toEqual([channels([0, 1, 2])]);
    expect(() => importTflite(strided([1, 1, 1, 2], 0))).toThrow(/unsupported-stride/);
  });

  test('SUB of a constant, from a constant, and of two values', () => {
    const low = type === U8 ? 0 : -128;
    const high = low + 255;
    const output = codes('y', [1, 8, 8, 4], 0.6, low + 128, type);
    const constant = {
      ...codes('k', [], 0.3, high, type),
      data: Uint8Array.of((low + 2) & 255),
    };
    const minus = (inputs: number[]) =>
      file(
        [image, constant, output],
        [{ code: 41, inputs, outputs: [2], options: { 0: { i8: 0 } } }],
        [0],
        [2],
      );
    const real = every(Array.from({ length: 256 }, (_, i) => i)).map((q) => 0.3 * (q - 5));
    const k = 0.3 * (low + 2 - high);
    // Half a step of the inputs is a tie of the output's: either neighbour will do.
    const near = (values: readonly number[], wanted: (x: number) => number) => {
      values.forEach((q, i) => {
        const exact = Math.min(Math.max(wanted(real[i]!) / 0.6 + low + 128, low), high);
        expect(Math.abs(q - exact)).toBeLessThanOrEqual(0.501);
      });
    };
    near(run(minus([0, 1]), target, type)[0]!, (x) => x - k);
    near(run(minus([1, 0]), target, type)[0]!, (x) => k - x);
    expect(run(minus([0, 0]), target, type)[0]).toEqual(Array(256).fill(low + 128));
  });
});

test('a change from NCHW at the input is left out, also before QUANTIZE', () => {
  const order = integers('order', [0, 2, 3, 1]);
  const [nchw, nhwc] = [codes('x', [1, 4, 8, 8], 0.3, 5, S8), codes('y', [1, 8, 8, 4], 0.3, 5, S8)];
  const relu = codes('z', [1, 8, 8, 4], 0.3, 5, S8);
  const integer = file(
    [nchw, order, nhwc, relu],
    [
      { code: 39, inputs: [0, 1], outputs: [2] },
      { code: 19, inputs: [2], outputs: [3] },
    ],
    [0],
    [3],
  );
  const graph = importTflite(integer);
  expect(graph.input).toBe('y');
  expect(graph.values.get('y')).toMatchObject({ shape: [1, 4, 8, 8] });
  expect(graph.nodes.map(({ op }) => op)).toEqual(['Requantize']);
  const real: TensorSpec = { name: 'r', type: F32, shape: [1, 4, 8, 8] };
  const turned: TensorSpec = { name: 't', type: F32, shape: [1, 8, 8, 4] };
  const float = file(
    [real, order, turned, nhwc, relu],
    [
      { code: 39, inputs: [0, 1], outputs: [2] },
      { code: 114, inputs: [2], outputs: [3] },
      { code: 19, inputs: [3], outputs: [4] },
    ],
    [0],
    [4],
  );
  expect(importTflite(float).values.get('y')).toMatchObject({ shape: [1, 4, 8, 8] });
  const inside = file(
    [nhwc, relu, order, codes('w', [1, 8, 4, 8], 0.3, 5, S8)],
    [
      { code: 19, inputs: [0], outputs: [1] },
      { code: 39, inputs: [1, 2], outputs: [3] },
    ],
    [0],
    [3],
  );
  expect(() => importTflite(inside)).toThrow(/unsupported-shape.*0, 2, 3, 1/);
});

test('computed shapes are no layers; a slice of positions is refused', () => {
  const [x, y] = [codes('x', [1, 1, 1, 4], 0.3, 5, S8), codes('y', [1, 4], 0.3, 5, S8)];
  const sizes: TensorSpec = { name: 'sizes', type: S32, shape: [4] };
  const batch: TensorSpec = { name: 'batch', type: S32, shape: [] };
  const packed: TensorSpec = { name: 'packed', type: S32, shape: [2] };
  const at = [0, 1, 1].map((n, i) => integers(`at${i}`, [n]));
  const reshape = file(
    [x, y, sizes, ...at, batch, integers('four', [4]), packed],
    [
      { code: 77, inputs: [0], outputs: [2] },
      { code: 45, inputs: [2, 3, 4, 5], outputs: [6] },
      { code: 83, inputs: [6, 7], outputs: [8] },
      { code: 22, inputs: [0, 8], outputs: [1] },
    ],
    [0],
    [1],
  );
  expect(importTflite(reshape).nodes.map(({ op }) => op)).toEqual(['Reshape']);
  const rows = file(
    [
      codes('x', [1, 8, 8, 4], 0.3, 5, S8),
      integers('begin', [0, 1, 0, 0]),
      integers('size', [1, 7, 8, 4]),
      codes('y', [1, 7, 8, 4], 0.3, 5, S8),
    ],
    [{ code: 65, inputs: [0, 1, 2], outputs: [3] }],
    [0],
    [3],
  );
  expect(() => importTflite(rows)).toThrow(ModelError);
  expect(() => importTflite(rows)).toThrow(/unsupported-shape.*slice of channels/);
});
