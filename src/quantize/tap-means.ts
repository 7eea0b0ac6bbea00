// SPDX-License-Identifier: Apache-2.0
import type { Graph, Node, OpenFloatRunner } from '../graph/graph.js';
import type { SampleSource } from '../graph/samples.js';
import { collect } from '../calibrate/collect.js';

/** The channel means of `value`, reduced inside the graph so that a tap is C numbers long. */
function meanName(value: string): string {
  return `${value}/channel-mean`;
}

/**
 * Mean of each channel of the named values over all positions and samples. The float network
 * averages over positions itself, so nothing large leaves it.
 *
 * @returns by value name, [C]
 */
export async function channelMeans(
  graph: Graph,
  values: readonly string[],
  samples: SampleSource,
  openFloatRunner: OpenFloatRunner,
): Promise<ReadonlyMap<string, Float64Array>> {
  const reduced = cutAt(withMeans(graph, values), values.map(meanName));
  const { moments } = await collect(reduced, samples, openFloatRunner, {
    moments: values.map(meanName),
  });
  return new Map(values.map((value) => [value, moments.get(meanName(value))!.mean]));
}

function withMeans(graph: Graph, values: readonly string[]): Graph {
  const shapes = new Map(graph.shapes);
  const pools = values.map((value): Node => {
    const shape = graph.shapes.get(value)!;
    shapes.set(meanName(value), [1, shape[1]!, 1, 1]);
    return {
      op: 'GlobalAveragePool',
      name: meanName(value),
      inputs: [value],
      outputs: [meanName(value)],
    };
  });
  return { ...graph, nodes: [...graph.nodes, ...pools], shapes };
}

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
