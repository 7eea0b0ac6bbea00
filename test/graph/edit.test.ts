// SPDX-License-Identifier: Apache-2.0
import { dumpGraph } from '../../src/graph/dump.js';
import { bypass, indexOf, namer, rebuild, substitute } from '../../src/graph/edit.js';
import { isOpenClamp, mergeClamps, scalarClamp } from '../../src/graph/clamps.js';
import type { Graph, Node } from '../../src/graph/graph.js';
import { inferShape, windowSize } from '../../src/graph/shapes.js';
import {
  broadcastShape,
  broadcastTo,
  combine,
  f32Tensor,
  perChannel,
  transposeTensor,
} from '../../src/graph/tensors.js';

const relu = (from: string, to: string): Node => ({
  op: 'Clamp',
  name: to,
  inputs: [from],
  outputs: [to],
  clamp: scalarClamp(0, Infinity),
});
const identity = (from: string, to: string): Node => ({
  op: 'Identity',
  name: to,
  inputs: [from],
  outputs: [to],
});
const add = (a: string, b: string, to: string): Node => ({
  op: 'Add',
  name: to,
  inputs: [a, b],
  outputs: [to],
});

function graphOf(nodes: Node[], outputs = ['y']): Graph {
  const shape = [1, 2, 3, 3];
  const empty: Graph = {
    name: 'test',
    inputs: [{ name: 'x', dtype: 'f32', shape }],
    outputs: outputs.map((name) => ({ name, dtype: 'f32', shape })),
    nodes: [],
    constants: new Map([['k', f32Tensor([1, 2, 1, 1], [1, 2])]]),
    shapes: new Map(),
    normalizations: new Map(),
    metadata: new Map(),
  };
  return rebuild(empty, { nodes });
}

test('rebuild sorts, drops the dead, infers shapes', () => {
  const graph = graphOf([add('b', 'a', 'y'), relu('x', 'dead'), relu('a', 'b'), relu('x', 'a')]);
  expect(graph.nodes.map((node) => node.name)).toEqual(['a', 'b', 'y']);
  expect([...graph.shapes.keys()]).toEqual(['x', 'a', 'b', 'y']);
  expect(graph.constants.size).toBe(0);
});

test('rebuild refuses cycles, missing values and a changed output', () => {
  expect(() => graphOf([add('x', 'b', 'a'), relu('a', 'b'), relu('b', 'y')])).toThrow(/\[cycle\]/);
  expect(() => graphOf([relu('nowhere', 'y')])).toThrow(/\[missing-value\] value "nowhere"/);
  const pool: Node = { op: 'GlobalAveragePool', name: 'p', inputs: ['x'], outputs: ['y'] };
  expect(() => graphOf([pool])).toThrow(/output "y": expected \[1,2,3,3\], got \[1,2,1,1\]/);
});

test('bypass keeps the names of outputs, and a node between input and output', () => {
  const idle = (node: Node) => node.op === 'Identity';
  const chain = bypass(graphOf([relu('x', 'a'), identity('a', 'b'), identity('b', 'y')]), idle);
  expect(chain.nodes).toEqual([{ ...relu('x', 'a'), outputs: ['y'] }]);
  const direct = graphOf([identity('x', 'y')]);
  expect(bypass(direct, idle).nodes).toEqual(direct.nodes);
  const two = graphOf([relu('x', 'a'), identity('a', 'y'), identity('a', 'z')], ['y', 'z']);
  const left = bypass(two, idle);
  expect(left.nodes.map((node) => [node.op, node.inputs, node.outputs])).toEqual([
    ['Clamp', ['x'], ['y']],
    ['Identity', ['y'], ['z']],
  ]);
});

test('substitute replaces one node by several', () => {
  const graph = graphOf([relu('x', 'a'), relu('a', 'y')]);
  const [first] = graph.nodes;
  const changed = substitute(
    graph,
    new Map([[first!, [identity('x', 't'), add('t', 'k2', 'a')]]]),
    [['k2', f32Tensor([], [1])]],
  );
  expect(changed.nodes.map((node) => node.op)).toEqual(['Identity', 'Add', 'Clamp']);
  expect(substitute(graph, new Map())).toBe(graph);
});

test('the index knows sole consumers; an output has none', () => {
  const graph = graphOf([relu('x', 'a'), add('a', 'a', 'y')]);
  const index = indexOf(graph);
  expect(index.soleConsumer('a')?.name).toBe('y');
  expect(index.soleConsumer('y')).toBeUndefined();
  expect(index.soleProducer('a')?.name).toBe('a');
  expect(index.producer('x')).toBeUndefined();
  const fresh = namer(graph);
  expect([fresh('a'), fresh('a'), fresh('b')]).toEqual(['a_2', 'a_3', 'b']);
});

test('a dump names every value with its shape', () => {
  expect(dumpGraph(graphOf([relu('x', 'a'), add('a', 'k', 'y')]))).toBe(
    'input x[1,2,3,3] f32\n' +
      'a[1,2,3,3] = Clamp(x[1,2,3,3]) {clamp=[0,Infinity]}  # a\n' +
      'y[1,2,3,3] = Add(a[1,2,3,3] k[1,2,1,1])  # y\n' +
      'output y[1,2,3,3] f32\n',
  );
});

test('window sizes as ONNX counts them', () => {
  expect(windowSize(224, 3, 2, 0, 1)).toBe(112);
  expect(windowSize(7, 7, 1, 0, 0)).toBe(1);
  expect(windowSize(8, 3, 1, 2, 2, 2)).toBe(8);
});

test('operators refuse inputs that do not fit, with both shapes', () => {
  const shapes: Record<string, number[]> = { a: [1, 2, 3, 3], b: [1, 2, 4, 3], w: [4, 3, 1, 1] };
  const shapeOf = (value: string) => shapes[value]!;
  expect(() => inferShape(add('a', 'b', 'y'), shapeOf)).toThrow(/\[1,2,3,3\] and \[1,2,4,3\]/);
  const concat = (axis: number): Node => ({
    op: 'Concat',
    name: 'k',
    inputs: ['a', 'b'],
    outputs: ['k'],
    axis,
  });
  expect(inferShape(concat(2), shapeOf)).toEqual([1, 2, 7, 3]);
  expect(() => inferShape(concat(1), shapeOf)).toThrow(/along axis 1 cannot join/);
});

test('tensor algebra', () => {
  const t = f32Tensor([2, 3], [1, 2, 3, 4, 5, 6]);
  expect([...transposeTensor(t, [1, 0]).data]).toEqual([1, 4, 2, 5, 3, 6]);
  const cube = f32Tensor([2, 1, 3], [1, 2, 3, 4, 5, 6]);
  expect([...transposeTensor(cube, [2, 0, 1]).data]).toEqual([1, 4, 2, 5, 3, 6]);
  expect([...broadcastTo(f32Tensor([2, 1], [1, 2]), [2, 2, 2]).data]).toEqual([
    1, 1, 2, 2, 1, 1, 2, 2,
  ]);
  expect(broadcastShape([3, 1], [1, 4])).toEqual([3, 4]);
  expect(broadcastShape([3], [4])).toBeUndefined();
  expect([...combine(t, f32Tensor([3], [1, 0, -1]), (x, y) => x * y)!.data]).toEqual([
    1, 0, -3, 4, 0, -6,
  ]);
  expect([...perChannel(f32Tensor([2, 1, 1], [5, 6]), [1, 2, 3, 3])!]).toEqual([5, 6]);
  expect([...perChannel(f32Tensor([], [5]), [1, 2, 3, 3])!]).toEqual([5, 5]);
  expect(perChannel(f32Tensor([2], [5, 6]), [1, 2, 3, 2])).toBeUndefined();
});

test('merged clamps equal the two in turn', () => {
  const pairs: [number, number][] = [
    [0, 6],
    [-1, 1],
    [2, 3],
    [-Infinity, 0.5],
    [0, Infinity],
    [7, 9],
  ];
  for (const [a, b] of pairs) {
    for (const [c, d] of pairs) {
      const merged = mergeClamps(scalarClamp(a, b), scalarClamp(c, d));
      for (const x of [-9, -1, -0.5, 0, 0.25, 1, 2.5, 5, 6.5, 8, 20]) {
        const turn = Math.min(Math.max(Math.min(Math.max(x, a), b), c), d);
        expect(Math.min(Math.max(x, merged.lo[0]!), merged.hi[0]!)).toBe(turn);
      }
    }
  }
  expect(isOpenClamp(scalarClamp(-Infinity, Infinity))).toBe(true);
  expect(isOpenClamp(scalarClamp(-Infinity, 6))).toBe(false);
});
