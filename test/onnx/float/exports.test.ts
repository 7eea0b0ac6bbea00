// SPDX-License-Identifier: Apache-2.0
// MobileNets as exporters write them (test/oracles/export_models.py): each loads, becomes canonical and
// computes what onnxruntime computes from the file itself.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { openFloatRunner } from '../../../src/float/runner.js';
import type { Graph } from '../../../src/graph/graph.js';
import { elementCount } from '../../../src/graph/tensors.js';
import type { OnnxModel } from '../../../src/onnx/file/model.js';
import { readOnnx } from '../../../src/onnx/file/reader.js';
import { importOnnx, unsupportedNodes } from '../../../src/onnx/float/import.js';
import { quantizationState } from '../../../src/onnx/quantized/import.js';
import { canonicalize } from '../../../src/passes/index.js';
import { inputLayoutKey } from '../../../src/passes/input-to-nchw.js';
import { toNhwc } from '../agree.js';
import { randomNumbers } from '../build.js';

const folder = join(__dirname, '../../golden/exports');
const places = (
  JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as {
    readonly models: Record<string, { readonly offset: number; readonly length: number }>;
  }
).models;
const all = readFileSync(join(folder, 'models.bin'));

function fileOf(name: string): Buffer {
  const { offset, length } = places[name]!;
  return all.subarray(offset, offset + length);
}

/** Numbers that the network's input may hold: bytes, or about the range of normalized pixels. */
function inputOf({ graph }: OnnxModel, length: number): Float32Array {
  const next = randomNumbers(5);
  const bytes = graph.inputs[0]!.dtype === 'u8';
  return Float32Array.from({ length }, () => (bytes ? Math.floor(128 + 128 * next()) : next()));
}

async function ours(graph: Graph, x: Float32Array): Promise<Float32Array> {
  const runner = await openFloatRunner(graph);
  const result = (await runner.run(x)).get('output')!;
  await runner.close();
  return result;
}

async function theirs(model: OnnxModel, bytes: Buffer, graph: Graph, x: Float32Array) {
  const [n, c, h, w] = graph.inputs[0]!.shape as [number, number, number, number];
  const nhwc = graph.metadata.get(inputLayoutKey) === 'NHWC';
  const data = nhwc ? toNhwc(x, c, h * w) : x;
  const dims = nhwc ? [n, h, w, c] : [n, c, h, w];
  const session = await InferenceSession.create(bytes, {
    graphOptimizationLevel: 'disabled',
    intraOpNumThreads: 1,
  });
  const input =
    model.graph.inputs[0]!.dtype === 'u8'
      ? new Tensor('uint8', Uint8Array.from(data), dims)
      : new Tensor('float32', data, dims);
  const { output } = await session.run({ input });
  await session.release();
  return output!.data as Float32Array;
}

/** The largest difference over the largest output. */
function distance(got: Float32Array, want: Float32Array): number {
  expect(got).toHaveLength(want.length);
  const size = want.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
  return got.reduce((worst, value, i) => {
    const error = Math.abs(value - want[i]!) / size;
    return error <= worst ? worst : error; // NaN comes out
  }, 0);
}

/** What float16 activations lose: eleven bits a value. */
const halfPrecision = new Set(['float16-net']);
const elsewhere = new Set(['log-softmax', 'float16-net-io']);
const names = Object.keys(places).filter((name) => !elsewhere.has(name));

test.each(names)('%s', async (name) => {
  const bytes = fileOf(name);
  const model = readOnnx(bytes);
  expect(quantizationState(model)).toBe('float');
  expect(unsupportedNodes(model)).toEqual([]);
  const graph = canonicalize(importOnnx(model));
  const x = inputOf(model, elementCount(graph.inputs[0]!.shape));
  const got = await ours(graph, x);
  const want = await theirs(model, bytes, graph, x);
  expect(distance(got, want)).toBeLessThan(halfPrecision.has(name) ? 2e-3 : 2e-6);
  expect(Math.max(...want) - Math.min(...want)).toBeGreaterThan(1e-3);
});

test('a network of float16 alone is read as one of float32', async () => {
  const [inside, whole] = ['float16-net', 'float16-net-io'].map((name) =>
    canonicalize(importOnnx(readOnnx(fileOf(name)))),
  );
  const x = inputOf(readOnnx(fileOf('float16-net')), elementCount(whole!.inputs[0]!.shape));
  expect(await ours(whole!, x)).toEqual(await ours(inside!, x));
});

test('hard swishes are recognized in every spelling', () => {
  const count = (name: string, op: string) =>
    canonicalize(importOnnx(readOnnx(fileOf(name)))).nodes.filter((node) => node.op === op).length;
  const spelled = names.filter((name) => name.startsWith('torch-v3'));
  expect(spelled).toHaveLength(6);
  for (const name of spelled) {
    expect(`${name}: ${count(name, 'HardSwish')}`).toBe(`${name}: 5`);
    // Of the two gates alone.
    expect(`${name}: ${count(name, 'Mul')}`).toBe(`${name}: 2`);
  }
});

test('a network that takes bytes needs no preprocessing', () => {
  expect(importOnnx(readOnnx(fileOf('pixels-as-bytes'))).metadata.get('lastbit.preprocess')).toBe(
    'none',
  );
});

test('what has no integer form is named', () => {
  expect(unsupportedNodes(readOnnx(fileOf('log-softmax')))).toMatchObject([{ op: 'LogSoftmax' }]);
});
