// SPDX-License-Identifier: Apache-2.0
import type { Graph, ValueInfo } from '../../graph/graph.js';

/**
 * Values through which everything flows: once such a value is known, nothing before it is needed any
 * more. In the order of the graph; the input is one.
 */
export function cutValues(graph: Graph): string[] {
  const lastUse = new Map<string, number>();
  graph.nodes.forEach((node, i) => {
    for (const input of node.inputs) lastUse.set(input, i);
  });
  for (const output of graph.outputs) lastUse.set(output.name, graph.nodes.length);
  const live = new Set(graph.inputs.map((input) => input.name));
  const cuts = [...live];
  graph.nodes.forEach((node, i) => {
    for (const output of node.outputs) live.add(output);
    for (const name of live) if ((lastUse.get(name) ?? -1) <= i) live.delete(name);
    const [only] = live;
    if (live.size === 1 && only !== cuts.at(-1)) cuts.push(only!);
  });
  return cuts;
}

/** The part of the graph that computes `values` from `from`, with `from` as its input. */
export function segment(graph: Graph, from: string, values: readonly string[]): Graph {
  const needed = new Set(values.filter((name) => name !== from));
  const nodes = [...graph.nodes].reverse().filter((node) => {
    if (!node.outputs.some((output) => needed.has(output))) return false;
    for (const input of node.inputs) if (input !== from) needed.add(input);
    return true;
  });
  return {
    ...graph,
    inputs: [valueInfo(graph, from)],
    nodes: nodes.reverse(),
    outputs: values.filter((name) => name !== from).map((name) => valueInfo(graph, name)),
    constants: new Map([...graph.constants].filter(([name]) => needed.has(name))),
  };
}

function valueInfo(graph: Graph, name: string): ValueInfo {
  const input = graph.inputs.find((candidate) => candidate.name === name);
  return input ?? { name, dtype: 'f32', shape: graph.shapes.get(name)! };
}
