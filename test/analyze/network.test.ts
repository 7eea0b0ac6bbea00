// SPDX-License-Identifier: Apache-2.0
import { networkOf } from '../../src/analyze/index.js';
import { lower } from '../../src/program/lower.js';
import { findTarget } from '../../src/targets/index.js';
import { convNode, graphOf, value } from '../program/quant-graphs.js';

test('a network names what feeds each operation, with shapes and multiply-accumulates', () => {
  const shape = [1, 3, 4, 6];
  const graph = graphOf(
    [value('x', shape), value('a', shape), value('b', shape)],
    [
      convNode(3, 3, { name: 'first', inputs: ['x'], output: 'a' }),
      convNode(3, 3, { name: 'second', inputs: ['a'], output: 'b' }),
    ],
  );
  expect(networkOf(lower(graph, findTarget('tflm')))).toEqual([
    { name: 'first', op: 'conv', inputs: [], shape: [4, 6, 3], macs: 216 },
    { name: 'second', op: 'conv', inputs: ['first'], shape: [4, 6, 3], macs: 216 },
  ]);
});
