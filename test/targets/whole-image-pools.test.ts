// SPDX-License-Identifier: Apache-2.0
// Average pools whose window is the whole image, against onnxruntime-node: its integer kernel goes the
// global pool's way there, which ties tell from the window's.
import * as ort from 'onnxruntime-node';

import { Engine } from '../../src/engine/engine.js';
import { encodeModel } from '../../src/onnx/file/encode.js';
import type { OnnxModel, OnnxNode } from '../../src/onnx/file/model.js';
import { readOnnx } from '../../src/onnx/file/reader.js';
import { importQuantized } from '../../src/onnx/quantized/import.js';
import { interpret } from '../../src/program/interpret.js';
import { lower } from '../../src/program/lower.js';
import { findTarget } from '../../src/targets/index.js';
import { int, ints } from '../onnx/build-model.js';

const profiles = ['onnxruntime', 'onnxruntime-avx2', 'onnxruntime-sse41', 'onnxruntime-arm64'];

interface Pool {
  readonly form: 'qop' | 'qdq';
  readonly dtype: 'u8' | 's8';
  readonly shape: readonly [1, number, number, number];
  readonly scales: readonly [number, number];
  readonly stride?: number;
}

function modelOf({ form, dtype, shape, scales, stride = 1 }: Pool): OnnxModel {
  const type = dtype === 'u8' ? Uint8Array : Int8Array;
  const zeros = dtype === 'u8' ? [128, 100] : [0, -3];
  const parameters = scales.flatMap((scale, i) => {
    const data = { shape: [], dtype: 'f32' as const, data: Float32Array.of(scale) };
    return [
      { ...data, name: `s${i}` },
      { name: `z${i}`, shape: [], dtype, data: type.of(zeros[i]!) },
    ];
  });
  const attributes = new Map([
    ['kernel_shape', ints(shape[2], shape[3])],
    ['strides', ints(stride, stride)],
    ['count_include_pad', int(0)],
  ]);
  const node = (op: string, inputs: string[], output: string, given: Partial<OnnxNode> = {}) => ({
    ...{ name: op, op, domain: '', inputs, outputs: [output], attributes: new Map() },
    ...given,
  });
  const nodes =
    form === 'qop'
      ? [
          node('QLinearAveragePool', ['x', 's0', 'z0', 's1', 'z1'], 'y', {
            domain: 'com.microsoft',
            attributes,
          }),
        ]
      : [
          node('DequantizeLinear', ['x', 's0', 'z0'], 'real'),
          node('AveragePool', ['real'], 'mean', { attributes }),
          node('QuantizeLinear', ['mean', 's1', 'z1'], 'y'),
        ];
  return {
    irVersion: 8,
    opsets: new Map([
      ['', 13],
      ['com.microsoft', 1],
    ]),
    producer: { name: 'test', version: '' },
    metadata: new Map(),
    graph: {
      name: 'pool',
      nodes,
      initializers: new Map(parameters.map((tensor) => [tensor.name, tensor])),
      inputs: [{ name: 'x', dtype, shape }],
      outputs: [{ name: 'y', dtype }],
      valueInfo: [],
    },
  };
}

function randomCodes(dtype: Pool['dtype'], length: number): Uint8Array | Int8Array {
  let state = 1;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  };
  const codes = Uint8Array.from({ length }, next);
  return dtype === 'u8' ? codes : new Int8Array(codes.buffer);
}

/** Codes that differ from onnxruntime's, under all its profiles, in interpreter and engine. */
async function wrongCodes(pool: Pool, level: 'disabled' | 'all'): Promise<number> {
  const { dtype, shape } = pool;
  const [, channels, height, width] = shape;
  const area = height * width;
  const bytes = encodeModel(modelOf(pool));
  const session = await ort.InferenceSession.create(bytes, {
    graphOptimizationLevel: level,
    intraOpNumThreads: 1,
  });
  const codes = randomCodes(dtype, channels * area);
  const type = dtype === 'u8' ? 'uint8' : 'int8';
  const { y } = await session.run({ x: new ort.Tensor(type, codes, shape) });
  await session.release();
  const want = Array.from(y!.data as Uint8Array | Int8Array);
  const graph = importQuantized(readOnnx(bytes));
  const input = codes.map((_, i) => codes[(i % channels) * area + Math.floor(i / channels)]!);
  let wrong = 0;
  for (const profile of profiles) {
    const program = lower(graph, findTarget(profile));
    const engine = Engine.load(program);
    for (const run of [interpret(program, input), engine.runSync(input)]) {
      const { data } = run.outputs[0]!;
      expect(data).toHaveLength(want.length);
      wrong += want.filter((code, i) => data[i] !== code).length;
    }
    engine.close();
  }
  return wrong;
}

const shapes = [
  [512, 7, 7],
  [512, 4, 4],
  [256, 3, 5],
  [512, 1, 8],
  [64, 14, 14],
  [512, 1, 1],
] as const;
const scales = [
  [0.5, 0.25],
  [1, 2],
  [0.023529412, 0.0117],
] as const;

const pools = shapes.flatMap(([c, h, w]) =>
  (['u8', 's8'] as const).flatMap((dtype) =>
    scales.map((pair) => ({
      dtype,
      shape: [1, c, h, w] as const,
      scales: pair.map(Math.fround) as unknown as Pool['scales'],
    })),
  ),
);

test('36 shapes, types and scales', () => {
  expect(pools).toHaveLength(36);
});

test.each(pools)('$dtype $shape, scales $scales', async (pool) => {
  expect(await wrongCodes({ ...pool, form: 'qop' }, 'disabled')).toBe(0);
  expect(await wrongCodes({ ...pool, form: 'qop' }, 'all')).toBe(0);
  // Without optimizations a pair is float arithmetic.
  expect(await wrongCodes({ ...pool, form: 'qdq' }, 'all')).toBe(0);
});

test('whatever the stride', async () => {
  const pool: Pool = {
    form: 'qop',
    dtype: 's8',
    shape: [1, 512, 4, 4],
    scales: [0.5, 0.25],
    stride: 3,
  };
  expect(await wrongCodes(pool, 'all')).toBe(0);
});
