// SPDX-License-Identifier: Apache-2.0
import { collect } from '../../calibrate/collect.js';
import type { Graph, Node, OpenFloatRunner } from '../../graph/graph.js';
import type { SampleSource } from '../../graph/samples.js';
import { cutAt } from '../network/cut-at.js';

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
  const means = await imageMeans(graph, values, samples, openFloatRunner);
  return new Map(values.map((value) => [value, meanOf(means.get(value)!)]));
}

/**
 * As channelMeans, but for each image.
 *
 * @returns by value name, for each image [C]
 */
export async function imageMeans(
  graph: Graph,
  values: readonly string[],
  samples: SampleSource,
  openFloatRunner: OpenFloatRunner,
): Promise<ReadonlyMap<string, readonly Float32Array[]>> {
  const reduced = cutAt(withMeans(graph, values), values.map(meanName));
  const needs = { each: values.map(meanName) };
  const { each } = await collect(reduced, samples, openFloatRunner, needs);
  return new Map(values.map((value) => [value, each.get(meanName(value))!]));
}

function meanOf(images: readonly Float32Array[]): Float64Array {
  const sum = new Float64Array(images[0]!.length);
  for (const means of images) means.forEach((mean, c) => (sum[c]! += mean));
  return sum.map((value) => value / images.length);
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
