// SPDX-License-Identifier: Apache-2.0
// MobileNets that onnxruntime's tools quantized in the many forms they have
// (test/oracles/export_quantized.py): each gives onnxruntime's codes, or says what stays in float.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { Engine } from '../../../src/engine/engine.js';
import { ModelError } from '../../../src/errors.js';
import type { QuantGraph } from '../../../src/graph/quant-graph.js';
import type { OnnxModel } from '../../../src/onnx/file/model.js';
import { readOnnx } from '../../../src/onnx/file/reader.js';
import { importQuantized } from '../../../src/onnx/quantized/import.js';
import { floatLayers } from '../../../src/pipeline/float-layers.js';
import { quantizeInput } from '../../../src/program/input.js';
import { lower } from '../../../src/program/lower.js';
import { findTarget } from '../../../src/targets/index.js';

interface Place {
  readonly offset: number;
  readonly length: number;
}

const folder = join(__dirname, '../../golden/exports-quantized');
const { provenance, inputs, models } = JSON.parse(
  readFileSync(join(folder, 'index.json'), 'utf8'),
) as {
  readonly provenance: { readonly images: number };
  readonly inputs: Place;
  readonly models: Record<string, Record<'model' | 'optimized' | 'plain', Place>>;
};
const bin = readFileSync(join(folder, 'models.bin'));
const bytesAt = ({ offset, length }: Place) => bin.subarray(offset, offset + length);
const floatsAt = (place: Place) => new Float32Array(Uint8Array.from(bytesAt(place)).buffer);
const fileOf = (name: string): OnnxModel => readOnnx(bytesAt(models[name]!.model));

/** Each image as the file takes it, in NCHW, behind whatever the file does to it in float. */
function imagesOf(file: OnnxModel, head: (x: number, channel: number) => number) {
  const all = floatsAt(inputs);
  const size = all.length / provenance.images;
  const [, a, , c] = file.graph.inputs[0]!.shape as number[];
  const nhwc = c === 3 && a !== 3;
  const area = size / 3;
  return Array.from({ length: provenance.images }, (_, image) =>
    Float32Array.from({ length: size }, (_, i) => {
      const [channel, at] = [Math.floor(i / area), i % area];
      return head(all[image * size + (nhwc ? at * 3 + channel : i)]!, channel);
    }),
  );
}

const f32 = Math.fround;
const deviations = [0.229, 0.224, 0.225].map(f32);
const heads: Record<string, (x: number, channel: number) => number> = {
  'slim-v1-qdq': (x) => f32(x - 127.5),
  'slim-v1-qop': (x) => f32(x - 127.5),
  'normalize-qdq': (x, c) =>
    f32(f32(f32(x / 255) - f32([0.485, 0.456, 0.406][c]!)) / deviations[c]!),
};

/** Real outputs of all images under a target. */
function run(graph: QuantGraph, name: string, target: string): Float32Array {
  const program = lower(graph, findTarget(target));
  const engine = Engine.load(program);
  const { scale, zeroPoint } = program.tensors[program.outputs[0]!]!;
  const rows = imagesOf(fileOf(name), heads[name] ?? ((x) => x)).map((image) => {
    const { outputs } = engine.runSync(quantizeInput(program, image));
    const [output] = [...outputs.values()];
    const row = Array.from(output!.data, (code) => (code - zeroPoint) * scale);
    return endsInSoftmax(name) ? softmax(row) : row;
  });
  engine.close();
  return Float32Array.from(rows.flat());
}

const endsInSoftmax = (name: string) => /keras|slim/.test(name);

function softmax(row: readonly number[]): number[] {
  const exps = row.map(Math.exp);
  const sum = exps.reduce((a, b) => a + b, 0);
  return exps.map((e) => e / sum);
}

/** The largest difference in steps of the output. */
function steps(graph: QuantGraph, got: Float32Array, want: Float32Array): number {
  expect(got).toHaveLength(want.length);
  const step = graph.values.get(graph.outputs[0]!)!.scale;
  return got.reduce((most, value, i) => Math.max(most, Math.abs(value - want[i]!) / step), 0);
}

/** Networks that onnxruntime runs in integers throughout, or with float layers that round alike. */
const exact = [
  'v3-qdq',
  'v3-qdq-u8u8',
  'v3-qop',
  'v3-sigmoid-qdq',
  'timm-qdq',
  'silu-qdq',
  'v2-qdq',
  'v2-qop',
  'v2-qdq-weight-zeros',
  'v2-qdq-float-bias',
  'v2-qdq-weight-pairs',
  'keras-v1-qdq',
  'slim-v1-qdq',
  'slim-v1-qop',
  'edge-tpu-qdq-u8u8',
  'normalize-qdq',
];

/** onnxruntime runs some layers in float; its optimizer drops the clamps of v2-qdq-symmetric. */
const inFloat = ['v3-qdq-s8', 'v2-qdq-symmetric', 'pad-first-qdq'];

const refused: Record<string, RegExp> = {
  'v3-qdq-u16': /"input_QuantizeLinear".*got u16/,
  'v3-written-out-qdq': /\[float-layer\].*"node_div_79".*"node_reducemean_80" \(ReduceMean\)/,
  'flatten-qdq': /2 problems: .*"kernel_14" are float32.*"kernel_24" are float32/,
  'v2-conv-only':
    /\[float-layer\] 2 .*"node_clip_66".*"node_reducemean_67".*"kernel_70" are float32/,
  'v2-dynamic': /DynamicQuantizeLinear\).*computed at run time.*lastbit quantize/,
};

test.each(exact)('%s: the codes of onnxruntime', (name) => {
  const graph = importQuantized(fileOf(name));
  const got = run(graph, name, 'onnxruntime-avx2');
  // The profile has no softmax: the file's is of 8 bits, the one here is exact.
  const rounding = endsInSoftmax(name) ? 0.5001 : 0.01;
  expect(steps(graph, got, floatsAt(models[name]!.optimized))).toBeLessThan(rounding);
  expect(new Set(got).size).toBeGreaterThan(4);
});

/** QOperator files are integers without optimization, too, and saturate. */
const computedInFloat = [...exact, ...inFloat].filter((name) => !name.endsWith('qop'));

test.each(computedInFloat)('%s: within rounding of the file computed in float', (name) => {
  const graph = importQuantized(fileOf(name));
  // Without saturating pairs, which are no part of the file's meaning.
  const got = run(graph, name, 'onnxruntime');
  expect(steps(graph, got, floatsAt(models[name]!.plain))).toBeLessThan(2.01);
});

/** Outputs of all images under onnxruntime, integer kernels over s8 codes allowed. */
async function allowingSigned(name: string): Promise<Float32Array> {
  const session = await ort.InferenceSession.create(bytesAt(models[name]!.model), {
    graphOptimizationLevel: 'all',
    intraOpNumThreads: 1,
    extra: { session: { qdqisint8allowed: '1' } },
  });
  const dims = (fileOf(name).graph.inputs[0]!.shape as number[]).map((n) => (n > 0 ? n : 1));
  const rows: number[] = [];
  for (const image of imagesOf(fileOf(name), (x) => x)) {
    const tensor = new ort.Tensor('float32', image, dims);
    const results = await session.run({ [session.inputNames[0]!]: tensor });
    rows.push(...(results[session.outputNames[0]!]!.data as Float32Array));
  }
  await session.release();
  return Float32Array.from(rows);
}

const onX86 = process.arch === 'x64' ? test : test.skip;

onX86('v3-qdq-s8: the codes of onnxruntime, once it may run s8 codes in integers', async () => {
  const graph = importQuantized(fileOf('v3-qdq-s8'));
  const got = run(graph, 'v3-qdq-s8', 'onnxruntime-avx2');
  expect(steps(graph, got, await allowingSigned('v3-qdq-s8'))).toBeLessThan(0.01);
  expect(steps(graph, got, floatsAt(models['v3-qdq-s8']!.optimized))).toBeLessThan(2.01);
});

test.each(Object.entries(refused))('%s is refused, with what stays in float', (name, pattern) => {
  expect(() => importQuantized(fileOf(name))).toThrow(ModelError);
  expect(() => importQuantized(fileOf(name))).toThrow(pattern);
});

test('16-bit activations and 4-bit weights are read; onnxruntime has no kernels for them', () => {
  const wide = importQuantized(fileOf('v3-qdq-s16'));
  expect([...wide.values.values()].every(({ dtype }) => dtype === 's16')).toBe(true);
  const narrow = importQuantized(fileOf('v3-qdq-s4'));
  const bits = narrow.nodes.flatMap((node) => (node.op === 'Conv' ? [node.weight.bits] : []));
  expect(new Set(bits)).toEqual(new Set([4]));
  for (const graph of [wide, narrow]) {
    expect(() => lower(graph, findTarget('onnxruntime'))).toThrow(/target-constraint/);
  }
});

test('every file is expected to do something', () => {
  const expected = [...exact, ...inFloat, ...Object.keys(refused), 'v3-qdq-s16', 'v3-qdq-s4'];
  expect(Object.keys(models).sort()).toEqual(expected.sort());
});

test('normalization in float before the first code is named, with its formula', () => {
  expect(importQuantized(fileOf('normalize-qdq')).notes).toEqual([
    'float nodes "node_div_2", "node_sub_4", "node_div_6" before the first quantized value are left out: ' +
      'the input "input" is ((x / 255) - [0.485 0.456 0.406]) / [0.229 0.224 0.225] of the file\'s own',
  ]);
});

test('layers that onnxruntime computes in float are named', () => {
  const target = findTarget('onnxruntime-avx2');
  const says = (name: string) => floatLayers(importQuantized(fileOf(name)), target);
  expect(says('pad-first-qdq')).toMatch(/"node_div_6" in float, for want of an integer kernel/);
  expect(says('v2-qdq')).toMatch(/"node_reducemean_67" in float, for want of an integer kernel/);
  expect(says('edge-tpu-qdq-u8u8')).toBeUndefined();
});
