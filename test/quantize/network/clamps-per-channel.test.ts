// SPDX-License-Identifier: Apache-2.0
import type { Graph } from '../../../src/graph/graph.js';
import { requireClampForms } from '../../../src/quantize/network/clamps-per-channel.js';
import { GraphBuilder } from '../small-graphs.js';

function netWith(lo: readonly number[], hi: readonly number[]): Graph {
  const clamp = { lo: Float32Array.from(lo), hi: Float32Array.from(hi) };
  const net = new GraphBuilder([1, 2, 4, 4]);
  return net.graph(net.conv('c', 'x', { outputs: 2, clamp }));
}

test('bounds that differ by less than any step are refused before calibration', () => {
  const graph = netWith([0, 0], [6, 6.0001]);
  expect(() => {
    requireClampForms(graph, false);
  }).toThrow(/node "c": bounds differ between channels.*q31-pc/);
  expect(() => {
    requireClampForms(graph, true);
  }).not.toThrow();
});

test('equal bounds are one bound', () => {
  expect(() => {
    requireClampForms(netWith([0, 0], [6, 6]), false);
  }).not.toThrow();
});

test('a clamp that is no part of a convolution has one bound on every target', () => {
  const graph = netWith([0], [6]);
  const clamp = { lo: Float32Array.of(-1, -2), hi: Float32Array.of(1, 1) };
  const alone = { op: 'Clamp' as const, name: 'k', inputs: ['x'], outputs: ['k/y'], clamp };
  expect(() => {
    requireClampForms({ ...graph, nodes: [...graph.nodes, alone] }, true);
  }).toThrow(/node "k": .*convolutions only/);
});
