// SPDX-License-Identifier: Apache-2.0
import { namer, rebuild } from '../graph/edit.js';
import type { Shape } from '../graph/graph.js';
import type { Pass } from './pass.js';

/** Metadata key that says in which layout the file itself takes its input; absent means NCHW. */
export const inputLayoutKey = 'lastbit.inputLayout';

/**
 * Gives a graph with an NHWC image input an NCHW one: the input's shape changes, and a transpose
 * restores the old order for those that read it (later passes cancel it). The values that flow
 * are the same; only the order in which the caller hands over the image differs, which the
 * metadata records as `lastbit.inputLayout` = `NHWC`.
 */
export const inputToNchw: Pass = (graph) => {
  const [input] = graph.inputs;
  if (graph.inputs.length !== 1 || input === undefined || !isNhwc(input.shape)) return graph;
  const [batch, height, width, channels] = input.shape as [number, number, number, number];
  const restored = namer(graph)(`${input.name}_nhwc`);
  return rebuild(graph, {
    inputs: [{ ...input, shape: [batch, channels, height, width] }],
    nodes: [
      {
        op: 'Transpose',
        name: restored,
        inputs: [input.name],
        outputs: [restored],
        perm: [0, 2, 3, 1],
      },
      ...graph.nodes.map((node) => ({
        ...node,
        inputs: node.inputs.map((name) => (name === input.name ? restored : name)),
      })),
    ],
    metadata: new Map([...graph.metadata, [inputLayoutKey, 'NHWC']]),
  });
};

/** An image has 1 to 4 channels, and more rows and columns than that. */
function isNhwc(shape: Shape): boolean {
  return shape.length === 4 && shape[3]! <= 4 && shape[1]! > 4 && shape[2]! > 4;
}
