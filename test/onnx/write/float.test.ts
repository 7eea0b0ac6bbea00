// SPDX-License-Identifier: Apache-2.0
import type { Graph } from '../../../src/graph/graph.js';
import { encodeModel } from '../../../src/onnx/file/encode.js';
import { readOnnx } from '../../../src/onnx/file/reader.js';
import { importOnnx } from '../../../src/onnx/float/import.js';
import { toOnnxModel, writeOnnx } from '../../../src/onnx/write/float.js';
import { canonicalize } from '../../../src/passes/index.js';
import { disagreement } from '../agree.js';
import { f32, float, int, ints, model, node, randomTensor, s64 } from '../build.js';

/** Every operator that a canonical graph may have. */
const everything = model({
  input: [1, 4, 12, 12],
  output: [1, 12],
  nodes: [
    node('Conv', ['x', 'w', 'b'], 'c', { group: int(4), dilations: ints(2, 2) }, 'dw'),
    node('Max', ['c', 'lo'], 'c1'),
    node('Min', ['c1', 'hi'], 'c2'),
    node('Add', ['c2', 'c1'], 'a', {}, 'sum'),
    node('Relu', ['a'], 'r'),
    node('MaxPool', ['r'], 'm', {
      kernel_shape: ints(2, 2),
      strides: ints(2, 2),
      pads: ints(0, 1, 0, 1),
    }),
    node('Pad', ['m', 'pads'], 'p'),
    node('AveragePool', ['p'], 'v', {
      kernel_shape: ints(2, 3),
      count_include_pad: int(1),
      pads: ints(1, 1, 0, 0),
    }),
    node('HardSigmoid', ['v'], 'hs', { alpha: float(0.25), beta: float(0.4) }),
    node('Sigmoid', ['v'], 'sg'),
    node('Mul', ['hs', 'sg'], 'g'),
    node('HardSwish', ['v'], 'hw'),
    node('Concat', ['g', 'hw', 'v'], 'k', { axis: int(1) }),
    node('Clip', ['k', 'third', ''], 'kc', {}, 'lower'),
    node('GlobalAveragePool', ['kc'], 'gp'),
    node('Flatten', ['gp'], 'f'),
    node('Softmax', ['f'], 'y', { axis: int(1) }),
  ],
  weights: {
    w: randomTensor([4, 1, 3, 3], 1),
    b: randomTensor([4], 2),
    lo: f32([1, 4, 1, 1], [-1, -0.5, 0, 0.25]),
    hi: f32([1, 4, 1, 1], [1, 0.5, 3, 0.5]),
    third: f32([], [1 / 3]),
    pads: s64([0, 0, 1, 0, 0, 0, 0, 1]),
  },
  opset: 14,
});

test('import, write, read, import: the same graph again', () => {
  const graph = canonicalize(importOnnx(everything));
  const again = canonicalize(importOnnx(readOnnx(writeOnnx(graph))));
  expect(again.nodes.map(describeNode)).toEqual(graph.nodes.map(describeNode));
  expect(again.metadata).toEqual(graph.metadata);
});

/** Without what float32 rounds on the way: the slopes of the hard functions. */
function describeNode(each: Graph['nodes'][number]) {
  const { inputs, ...rest } = each;
  return 'alpha' in rest
    ? { ...rest, alpha: Math.fround(rest.alpha), beta: Math.fround(rest.beta) }
    : { ...rest, inputs: inputs.length };
}

test('the written file computes what the original does', async () => {
  expect(await disagreement(everything, (graph) => graph)).toBeLessThan(1e-6);
  expect(await disagreement(everything, canonicalize)).toBeLessThan(1e-6);
  const graph = canonicalize(importOnnx(everything));
  expect(await disagreement(toOnnxModel(graph), (same) => same)).toBeLessThan(1e-6);
});

test('clamps become Clip, or Max and Min with one bound per channel', () => {
  const { nodes, initializers } = toOnnxModel(canonicalize(importOnnx(everything))).graph;
  const clamps = nodes.filter(({ op }) => ['Clip', 'Max', 'Min'].includes(op));
  expect(clamps.map(({ op, name, outputs }) => [op, name, outputs[0]])).toEqual([
    ['Max', 'dw/clamp', 'c1'],
    ['Min', 'n_c2', 'c2'],
    ['Clip', 'sum/clamp', 'r'],
    ['Clip', 'lower', 'kc'],
  ]);
  const bound = nodes.find(({ op }) => op === 'Max')!.inputs[1]!;
  expect(initializers.get(bound)?.shape).toEqual([1, 4, 1, 1]);
});

test('taps become outputs once, with their shape; unknown ones are named', () => {
  const graph = canonicalize(importOnnx(everything));
  const tapped = toOnnxModel(graph, { taps: ['p', 'v', 'p', 'y'] }).graph.outputs;
  expect(tapped.map(({ name, shape }) => [name, shape])).toEqual([
    ['y', [1, 12]],
    ['p', graph.shapes.get('p')],
    ['v', graph.shapes.get('v')],
  ]);
  expect(() => writeOnnx(graph, { taps: ['nothing'] })).toThrow(/\[missing-value\] tap "nothing"/);
});

test('encoding refuses what it cannot write', () => {
  const half = { ...everything, graph: { ...everything.graph } };
  half.graph.initializers = new Map([
    ['h', { name: 'h', dtype: 'f16' as const, shape: [1], data: Float32Array.of(1) }],
  ]);
  expect(() => encodeModel(half)).toThrow(/\[cannot-encode\] tensor "h"/);
});
