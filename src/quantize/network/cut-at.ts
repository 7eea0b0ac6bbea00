// SPDX-License-Identifier: Apache-2.0
import type { Graph } from '../../graph/graph.js';

/** The part of the graph that the named values depend on, with them as its outputs. */
export function cutAt(graph: Graph, values: readonly string[]): Graph {
  const needed = new Set(values);
  const nodes = [...graph.nodes].reverse().filter((node) => {
    if (!node.outputs.some((output) => needed.has(output))) return false;
    for (const input of node.inputs) needed.add(input);
    return true;
  });
  return {
    ...graph,
    nodes: nodes.reverse(),
    outputs: values.map((name) => ({ name, dtype: 'f32', shape: graph.shapes.get(name)! })),
    constants: new Map([...graph.constants].filter(([name]) => needed.has(name))),
  };
}
