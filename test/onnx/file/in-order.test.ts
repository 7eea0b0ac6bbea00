// SPDX-License-Identifier: Apache-2.0
import { inOrder } from '../../../src/onnx/file/in-order.js';
import type { OnnxNode } from '../../../src/onnx/file/model.js';

const node = (output: string, ...inputs: string[]): OnnxNode => ({
  ...{ name: output, op: 'Add', domain: '', inputs, outputs: [output] },
  attributes: new Map(),
});
const names = (nodes: readonly OnnxNode[]): string => nodes.map(({ name }) => name).join('');

test('nodes in order stay as they are', () => {
  const nodes = [node('a', 'x'), node('b', 'a'), node('c', 'a', 'b', '')];
  expect(inOrder(nodes)).toEqual(nodes);
});

test('a node comes behind what makes its inputs, the others where they stood', () => {
  const nodes = [
    node('d', 'b', 'c'),
    node('a', 'x'),
    node('c', 'a'),
    node('b', 'a'),
    node('e', 'd'),
  ];
  expect(names(inOrder(nodes))).toBe('abcde');
});

test('circles are left for their readers to refuse', () => {
  expect(inOrder([node('a', 'b'), node('b', 'a'), node('c', 'c')])).toHaveLength(3);
});

test('a chain of a hundred thousand nodes, backwards', () => {
  const chain = Array.from({ length: 100_000 }, (_, i) => node(`${i}`, `${i - 1}`)).reverse();
  expect(inOrder(chain)[99_999]!.name).toBe('99999');
});
