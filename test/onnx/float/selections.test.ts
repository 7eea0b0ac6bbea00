// SPDX-License-Identifier: Apache-2.0
// Parts of an activation as convolutions: the imported graph gives what onnxruntime gives of the file.
import { leftOutOf } from '../../../src/graph/left-out.js';
import { importOnnx, unsupportedNodes } from '../../../src/onnx/float/import.js';
import type { OnnxAttribute, OnnxModel, OnnxNode } from '../../../src/onnx/file/model.js';
import { canonicalize } from '../../../src/passes/index.js';
import { disagreement } from '../agree.js';
import { int, ints, model, node, randomTensor, s64, type ModelParts } from '../build.js';

const [w, w1] = [randomTensor([6, 3, 1, 1], 1), randomTensor([4, 2, 1, 1], 2)];

/** A convolution of 6 channels, 8 x 8, then the part of it. */
const behindConv = (nodes: OnnxNode[], weights: ModelParts['weights'], rest = {}): OnnxModel =>
  model({
    output: [1, 2, 8, 8],
    ...rest,
    nodes: [node('Conv', ['x', 'w'], 'c'), ...nodes],
    weights: { w, ...weights },
  });

const split = (inputs: string[], attributes: Record<string, OnnxAttribute>): OnnxNode[] => [
  { ...node('Split', inputs, 'a', { axis: int(1), ...attributes }), outputs: ['a', 'b', 'z'] },
  node('Concat', ['z', 'a', 'b'], 'y', { axis: int(1) }),
];
const six = { output: [1, 6, 8, 8] };

const agreeing: Record<string, OnnxModel> = {
  'Split, equal parts, opset 13': behindConv(split(['c'], {}), {}, six),
  'Split, sizes as attribute, opset 11': behindConv(
    split(['c'], { split: ints(1, 2, 3) }),
    {},
    { ...six, opset: 11 },
  ),
  'Split, sizes as input, axis from the end': behindConv(
    split(['c', 'sizes'], { axis: int(-3) }),
    { sizes: s64([3, 1, 2]) },
    six,
  ),
  'Split, num_outputs, opset 18': behindConv(
    split(['c'], { num_outputs: int(3) }),
    {},
    { ...six, opset: 18 },
  ),
  'Slice as attributes, opset 9': behindConv(
    [node('Slice', ['c'], 'y', { axes: ints(1), starts: ints(1), ends: ints(3) })],
    {},
    { opset: 9 },
  ),
  'Slice with bounds from the end': behindConv([node('Slice', ['c', 'from', 'to', 'axis'], 'y')], {
    ...{ from: s64([-4]), to: s64([-2]), axis: s64([-3]) },
  }),
  'Slice with a step': behindConv(
    [node('Slice', ['c', 'from', 'to', 'axis', 'step'], 'y')],
    { from: s64([1]), to: s64([2 ** 40]), axis: s64([1]), step: s64([2]) },
    { output: [1, 3, 8, 8] },
  ),
  'Slice backwards': behindConv(
    [node('Slice', ['c', 'from', 'to', 'axis', 'step'], 'y')],
    { from: s64([-1]), to: s64([-(2 ** 40)]), axis: s64([1]), step: s64([-1]) },
    six,
  ),
  'Slice of every second row and column': behindConv(
    [node('Slice', ['c', 'from', 'to', 'axis', 'step'], 'y')],
    { from: s64([1, 0]), to: s64([99, 7]), axis: s64([2, 3]), step: s64([2, 3]) },
    { output: [1, 6, 4, 3] },
  ),
  'Slice of a border': behindConv(
    [node('Slice', ['c', 'from', 'to', 'axis'], 'y')],
    { from: s64([2]), to: s64([-1]), axis: s64([2]) },
    { output: [1, 6, 5, 8] },
  ),
  'Gather of channels': behindConv([node('Gather', ['c', 'at'], 'y', { axis: int(1) })], {
    at: s64([5, -5]),
  }),
  'Slice of scores': behindConv(
    [
      node('GlobalAveragePool', ['c'], 'p'),
      node('Flatten', ['p'], 'f'),
      node('Slice', ['f', 'from', 'to', 'axis'], 'y'),
    ],
    { from: s64([1]), to: s64([4]), axis: s64([1]) },
    { output: [1, 3] },
  ),
  'Split along the last axis between transposes, as TensorFlow has it': behindConv(
    [
      node('Transpose', ['c'], 't', { perm: ints(0, 2, 3, 1) }),
      { ...node('Split', ['t'], 'a', { axis: int(3) }), outputs: ['a', 'b', 'z'] },
      node('Add', ['a', 'z'], 's'),
      node('Transpose', ['s'], 'n', { perm: ints(0, 3, 1, 2) }),
      node('Conv', ['n', 'w1'], 'y'),
    ],
    { w1 },
    { output: [1, 4, 8, 8] },
  ),
};

test.each(Object.keys(agreeing))('%s', async (name) => {
  expect(await disagreement(agreeing[name]!, (graph) => graph)).toBeLessThan(1e-6);
  expect(await disagreement(agreeing[name]!, canonicalize)).toBeLessThan(3e-6);
  const { nodes } = canonicalize(importOnnx(agreeing[name]!));
  expect(nodes.filter(({ op }) => op === 'Transpose')).toEqual([]);
});

test('what is no part along one axis is refused with its bounds', () => {
  const bad = behindConv(
    [
      node('Slice', ['c', 'none', 'none', 'one'], 'y', {}, 'empty'),
      node('Slice', ['c', 'two', 'nine', 'both'], 'q', {}, 'corner'),
      { ...node('Split', ['c', 'two'], 'r', { axis: int(1) }, 'sizes'), outputs: ['r', 's'] },
      node('Gather', ['c', 'nine'], 'g', { axis: int(1) }, 'beyond'),
    ],
    { none: s64([0]), one: s64([1]), two: s64([1, 1]), nine: s64([3, 9]), both: s64([1, 2]) },
  );
  expect(unsupportedNodes(bad).map(({ name, reason }) => [name, reason])).toEqual([
    ['empty', 'a slice of nothing is not supported'],
    ['corner', 'a slice along axes 1,2 is not supported'],
    ['sizes', 'sizes 1,1 of 6 for 2 outputs is not supported'],
    ['beyond', 'index 9 of 6 is not supported'],
  ]);
});

test('an output is taken before its ArgMax, and people are told', () => {
  const decided = behindConv(
    [
      node('GlobalAveragePool', ['c'], 'p'),
      node('Flatten', ['p'], 'scores'),
      node('ArgMax', ['scores'], 'y', { axis: int(1) }, 'decide'),
    ],
    {},
    { output: [1, 1] },
  );
  const graph = canonicalize(importOnnx(decided));
  expect(graph.outputs).toEqual([{ name: 'scores', dtype: 'f32', shape: [1, 6] }]);
  expect(leftOutOf(graph)).toEqual([
    'output "y" is taken before ArgMax "decide", as the scores "scores"',
  ]);
  expect(unsupportedNodes(decided)).toEqual([]);
});
