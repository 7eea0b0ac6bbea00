// SPDX-License-Identifier: Apache-2.0
import type { Graph } from '../../src/graph/graph.js';
import { leftOutOf } from '../../src/graph/left-out.js';
import { importOnnx } from '../../src/onnx/float/import.js';
import { denseToConv } from '../../src/passes/dense-to-conv.js';
import { foldPads } from '../../src/passes/fold-pads.js';
import { canonicalize, passes } from '../../src/passes/index.js';
import { inputLayoutKey, inputToNchw } from '../../src/passes/input-to-nchw.js';
import { poolsToGlobal } from '../../src/passes/pools-to-global.js';
import { removeIdle } from '../../src/passes/remove-idle.js';
import { sinkTransposes } from '../../src/passes/sink-transposes.js';
import { disagreement } from '../onnx/agree.js';
import { f32, int, ints, model, node, randomTensor, s64 } from '../onnx/build.js';
import { find, graphOf, ops } from './nets.js';

const w = randomTensor([4, 3, 3, 3], 1);
const toNchw = { perm: ints(0, 3, 1, 2) };
const toNhwc = { perm: ints(0, 2, 3, 1) };

/** As tf2onnx writes a small residual net: NHWC between the operators. */
const nhwc = {
  input: [1, 9, 10, 3],
  output: [1, 5],
  nodes: [
    node('Div', ['x', 'scale'], 'xs'),
    node('Sub', ['xs', 'one'], 'xn'),
    node('Transpose', ['xn'], 't0', toNchw),
    node('Conv', ['t0', 'w'], 'c0', { pads: ints(1, 1, 1, 1) }),
    node('Transpose', ['c0'], 'h0', toNhwc),
    node('Add', ['h0', 'bias'], 'b0'),
    node('Clip', ['b0', 'zero', 'six'], 'r0'),
    node('Pad', ['r0', 'pads'], 'p0'),
    node('Transpose', ['p0'], 't1', toNchw),
    node('Conv', ['t1', 'v'], 'c1', { group: int(4) }),
    node('Transpose', ['c1'], 'h1', toNhwc),
    node('Add', ['h1', 'r0'], 's1'),
    node('Concat', ['s1', 'r0'], 'k1', { axis: int(-1) }),
    node('ReduceMean', ['k1'], 'm1', { axes: ints(1, 2), keepdims: int(0) }),
    node('MatMul', ['m1', 'mw'], 'd1'),
    node('Add', ['d1', 'mb'], 'l1'),
    node('Softmax', ['l1'], 'y', { axis: int(-1) }),
  ],
  weights: {
    w,
    v: randomTensor([4, 1, 3, 3], 2),
    scale: f32([], [2]),
    one: f32([1, 1, 1, 3], [1, 2, 3]),
    bias: randomTensor([4], 3),
    zero: f32([], [0]),
    six: f32([], [6]),
    pads: s64([0, 1, 0, 0, 0, 1, 2, 0]),
    mw: randomTensor([8, 5], 4),
    mb: randomTensor([5], 5),
  },
};

test('an NHWC export becomes NCHW without a transpose, and says so', async () => {
  const canonical = canonicalize(graphOf(nhwc));
  expect(canonical.inputs[0]!.shape).toEqual([1, 3, 9, 10]);
  expect(canonical.metadata.get(inputLayoutKey)).toBe('NHWC');
  expect(canonical.metadata.get('origin')).toBe('test');
  expect(ops(canonical)).toEqual([
    ...['Conv', 'Conv', 'Conv', 'Add', 'Concat', 'GlobalAveragePool', 'Conv', 'Reshape', 'Softmax'],
  ]);
  expect(find(canonical, 'Concat').axis).toBe(1);
  expect(await disagreement(model(nhwc), canonicalize)).toBeLessThan(1e-6);
});

test('the wide form stays exact when only transposes move', async () => {
  const moved = sinkTransposes(inputToNchw(graphOf(nhwc)));
  expect(ops(moved)).not.toContain('Transpose');
  const error = await disagreement(model(nhwc), (graph) => sinkTransposes(inputToNchw(graph)));
  expect(error).toBeLessThan(1e-6);
});

test('a gate from a squeeze-and-excite branch meets its feature map', async () => {
  const gated = {
    output: [1, 8, 8, 3],
    nodes: [
      node('Transpose', ['x'], 't', toNhwc),
      node('ReduceMean', ['t'], 'm', { axes: ints(1, 2), keepdims: int(0) }),
      node('MatMul', ['m', 'mw'], 'd'),
      node('HardSigmoid', ['d'], 'g'),
      node('Reshape', ['g', 'to'], 'g4'),
      node('Mul', ['t', 'g4'], 'y'),
    ],
    weights: { mw: randomTensor([3, 3], 1), to: s64([1, 1, 1, 3]) },
  };
  const whole = (graph: Graph): Graph =>
    passes
      .filter(([name]) => !['leaveOutOutputMoves', 'checkCanonical'].includes(name))
      .reduce((current, [, pass]) => pass(current), graph);
  expect(ops(whole(graphOf(gated)))).toEqual([
    ...['GlobalAveragePool', 'Conv', 'HardSigmoid', 'Mul', 'Transpose'],
  ]);
  expect(await disagreement(model(gated), whole)).toBeLessThan(1e-6);
  const canonical = canonicalize(graphOf(gated));
  expect(ops(canonical)).toEqual(['GlobalAveragePool', 'Conv', 'HardSigmoid', 'Mul']);
  expect(canonical.outputs[0]!.shape).toEqual([1, 3, 8, 8]);
  expect(leftOutOf(canonical).join()).toMatch(
    /output "y" \[1, 8, 8, 3\] is taken before Transpose/,
  );
});

test.each([
  ['ReduceMean over H and W', node('ReduceMean', ['x'], 'y', { axes: ints(2, 3) })],
  ['AveragePool over the image', node('AveragePool', ['x'], 'y', { kernel_shape: ints(8, 8) })],
])('%s is a global pool', async (_, pool) => {
  const parts = { output: [1, 3, 1, 1], nodes: [pool] };
  expect(ops(poolsToGlobal(graphOf(parts)))).toEqual(['GlobalAveragePool']);
  expect(await disagreement(model(parts), poolsToGlobal)).toBeLessThan(1e-6);
});

test.each([
  ['keeping them', 1, [1, 3, 1, 1], [2, 3]],
  ['dropping them', 0, [1, 3], [3, 2]],
])(
  'means over rows and then columns are one global pool, %s',
  async (_, keepdims, output, axes) => {
    const mean = (input: string, to: string, axis: number) =>
      node('ReduceMean', [input], to, { axes: ints(axis), keepdims: int(keepdims) });
    const parts = {
      output,
      nodes: [mean('x', 'm', axes[0]!), mean('m', 'y', keepdims ? axes[1]! : 2)],
    };
    expect(ops(poolsToGlobal(graphOf(parts)))[0]).toBe('GlobalAveragePool');
    expect(await disagreement(model(parts), poolsToGlobal)).toBeLessThan(1e-6);
  },
);

test.each([2, 3])('a mean over axis %i alone is a pool as long as the image', async (axis) => {
  const parts = {
    output: axis === 2 ? [1, 3, 1, 8] : [1, 3, 8, 1],
    nodes: [node('ReduceMean', ['x'], 'y', { axes: ints(axis) })],
  };
  expect(ops(canonicalize(graphOf(parts)))).toEqual(['AveragePool']);
  expect(await disagreement(model(parts), canonicalize)).toBeLessThan(1e-6);
});

test('means over channels are not, and end as an error that lists them', () => {
  const across = {
    output: [1, 1, 8, 8],
    nodes: [node('ReduceMean', ['x'], 'y', { axes: ints(1) }, 'across')],
  };
  expect(ops(poolsToGlobal(graphOf(across)))).toEqual(['ReduceMean']);
  expect(() => canonicalize(graphOf(across))).toThrow(
    /\[unsupported-graph\] node "across".*ReduceMean/,
  );
});

test('rows of anchors at an output are taken apart, before they are joined', () => {
  const head = (input: string, to: string) => [
    node('Transpose', [input], `${to}/t`, { perm: ints(0, 2, 3, 1) }),
    node('Reshape', [`${to}/t`, 'rows'], to),
  ];
  const far = { kernel_shape: ints(2, 2), strides: ints(2, 2) };
  const parts = {
    output: [1, 80, 4],
    nodes: [
      node('Conv', ['x', 'w'], 'near', { pads: ints(1, 1, 1, 1) }),
      node('MaxPool', ['near'], 'far', far),
      ...head('near', 'near/rows'),
      ...head('far', 'far/rows'),
      node('Concat', ['near/rows', 'far/rows'], 'y', { axis: int(1) }),
    ],
    weights: { w, rows: s64([1, -1, 4]) },
  };
  const canonical = canonicalize(graphOf(parts));
  expect(ops(canonical)).toEqual(['Conv', 'MaxPool']);
  expect(canonical.outputs.map(({ name, shape }) => [name, shape])).toEqual([
    ['near', [1, 4, 8, 8]],
    ['far', [1, 4, 4, 4]],
  ]);
  expect(leftOutOf(canonical)).toEqual([
    expect.stringMatching(
      /output "y" \[1, 80, 4\] is taken before .*Concat.*"near" \[1, 4, 8, 8\], "far"/,
    ),
  ]);
});

describe('fully connected layers', () => {
  const flattened = (order: 'NCHW' | 'NHWC') => ({
    input: [1, 3, 4, 5],
    output: [1, 6],
    nodes: [
      ...(order === 'NHWC'
        ? [node('Transpose', ['x'], 't', toNhwc)]
        : [node('Identity', ['x'], 't')]),
      node('Flatten', ['t'], 'f'),
      node('Gemm', ['f', 'g', 'h'], 'r', { transB: int(1) }),
      node('Relu', ['r'], 'q'),
      node('Gemm', ['q', 'k'], 'y'),
    ],
    weights: {
      g: randomTensor([7, 60], 1),
      h: randomTensor([1, 7], 2),
      k: randomTensor([7, 6], 3),
    },
  });

  test.each(['NCHW', 'NHWC'] as const)(
    'on a flattened %s image use a kernel of its size',
    async (order) => {
      const canonical = canonicalize(graphOf(flattened(order)));
      expect(ops(canonical)).toEqual(['Conv', 'Conv', 'Reshape']);
      expect(find(canonical, 'Conv').kernel).toEqual([4, 5]);
      expect(await disagreement(model(flattened(order)), canonicalize)).toBeLessThan(1e-6);
    },
  );

  test('on several rows stay', () => {
    const rows = {
      input: [4, 6],
      output: [4, 2],
      nodes: [node('Gemm', ['x', 'g'], 'y')],
      weights: { g: randomTensor([6, 2], 1) },
    };
    expect(ops(denseToConv(graphOf(rows)))).toEqual(['Gemm']);
    expect(() => canonicalize(graphOf(rows))).toThrow(/expected one image input/);
  });
});

describe('padding', () => {
  const pads = s64([0, 0, 0, 1, 0, 0, 1, 2]);
  const padded = (value: number, after: ReturnType<typeof node>, output: number[]) => ({
    output,
    nodes: [node('Relu', ['x'], 'r'), node('Pad', ['r', 'pads', 'value'], 'p'), after],
    weights: { pads, value: f32([], [value]), w },
  });
  const pool = { kernel_shape: ints(3, 3) };

  test.each([
    ['zeros into a convolution', 0, node('Conv', ['p', 'w'], 'y'), [1, 4, 7, 9]],
    ['zeros into an average', 0, node('AveragePool', ['p'], 'y', pool), [1, 3, 7, 9]],
    ['zeros below every value into a maximum', 0, node('MaxPool', ['p'], 'y', pool), [1, 3, 7, 9]],
    ['minus infinity into a maximum', -Infinity, node('MaxPool', ['p'], 'y', pool), [1, 3, 7, 9]],
  ])('%s', async (_, value, after, output) => {
    const parts = padded(value, after, output);
    expect(ops(foldPads(graphOf(parts)))).not.toContain('Pad');
    expect(await disagreement(model(parts), foldPads)).toBeLessThan(1e-6);
  });

  test.each([
    ['ones', 1, node('Conv', ['p', 'w'], 'y'), [1, 4, 7, 9]],
    ['a value that can win a maximum', 0.5, node('MaxPool', ['p'], 'y', pool), [1, 3, 7, 9]],
    [
      'in front of an average that does not count its own padding',
      0,
      node('AveragePool', ['p'], 'y', { ...pool, pads: ints(1, 0, 0, 0) }),
      [1, 3, 8, 9],
    ],
  ])('%s stay', async (_, value, after, output) => {
    const parts = padded(value, after, output);
    expect(ops(foldPads(graphOf(parts)))).toContain('Pad');
    expect(await disagreement(model(parts), foldPads)).toBeLessThan(1e-6);
  });
});

test('idle nodes vanish; names of outputs stay', () => {
  const idle = {
    output: [1, 3, 8, 8],
    nodes: [
      node('Identity', ['x'], 'a'),
      node('Relu', ['a'], 'b'),
      node('Clip', ['b'], 'c'),
      node('Reshape', ['c', 'same'], 'd'),
      node('Pad', ['d', 'none'], 'e'),
      node('Dropout', ['e'], 'f'),
      node('Transpose', ['f'], 'y', { perm: ints(0, 1, 2, 3) }),
    ],
    weights: { same: s64([0, 3, -1, 8]), none: s64([0, 0, 0, 0, 0, 0, 0, 0]) },
  };
  const graph = removeIdle(graphOf(idle));
  expect(graph.nodes.map(({ op, inputs, outputs }) => [op, inputs, outputs])).toEqual([
    ['Clamp', ['x'], ['y']],
  ]);
  expect(graph.constants.size).toBe(0);
});

test('passes do not touch the graph they are given', () => {
  const graph = importOnnx(model(nhwc));
  const before = structuredClone(graph);
  canonicalize(graph);
  expect(graph).toEqual(before);
});

const shuffle = (five: number[], perm: number[]) => ({
  input: [1, 3, 8, 8],
  output: [1, 6, 8, 8],
  nodes: [
    node('Conv', ['x', 'w'], 'c', { pads: ints(1, 1, 1, 1) }),
    node('Reshape', ['c', 'five'], 'a'),
    node('Transpose', ['a'], 'b', { perm: ints(...perm) }),
    node('Reshape', ['b', 'four'], 'd'),
    node('Relu', ['d'], 'y'),
  ],
  weights: { w: randomTensor([6, 3, 3, 3], 1), five: s64(five), four: s64([1, 6, 8, 8]) },
});

test.each([
  [
    [1, 2, 3, 8, 8],
    [0, 2, 1, 3, 4],
  ],
  [
    [1, 3, 2, 64],
    [0, 2, 1, 3],
  ],
  [
    [2, 3, 64],
    [1, 0, 2],
  ],
])('a channel shuffle by %j is a convolution that takes channels', async (five, perm) => {
  const parts = shuffle(five, perm);
  expect(ops(canonicalize(graphOf(parts)))).toEqual(['Conv', 'Conv']);
  expect(await disagreement(model(parts), canonicalize)).toBe(0);
});

test('a reshape that mixes channels and positions is refused by name, with the way out', () => {
  expect(() => canonicalize(graphOf(shuffle([1, 2, 3, 8, 8], [0, 3, 1, 2, 4])))).toThrow(
    /2 nodes: .*\(Reshape\): it reorders an image, \[1,6,8,8\] to \[1,2,3,8,8\].*\(Transpose\).*cut the model before/,
  );
});

test.each([[[3]], [[1, 1, 3]], [[1, 1, 1, 3]]])('scores of shape %j stay as they are', (output) => {
  const nodes = [node('GlobalAveragePool', ['x'], 'p'), node('Reshape', ['p', 'shape'], 'y')];
  const canonical = canonicalize(graphOf({ output, nodes, weights: { shape: s64(output) } }));
  expect(canonical.outputs[0]!.shape).toEqual(output);
});
