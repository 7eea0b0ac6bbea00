// SPDX-License-Identifier: Apache-2.0
import type { ChannelStatistics, Clamp, ConvNode, Graph, Node } from '../../graph/graph.js';
import { biasOf, weightOf, withParameters, type ConvChange } from '../network/connections.js';
import { inputChannels } from '../network/input-channels.js';
import type { ChannelGroup } from './channel-groups.js';

/** Factors above 0 for the channels of one group: each channel's values are multiplied by them. */
export interface GroupFactors {
  readonly group: ChannelGroup;
  readonly factors: Float64Array;
}

/**
 * Multiplies the channels of each group by its factors and undoes it in the layers that read
 * them. Weights, biases, clamps and the statistics of folded batch norms follow, so the network
 * computes the same function (up to float32 rounding): clamp bounds become one per channel where
 * they were one per tensor.
 *
 * @param scaleClamps false leaves clamps alone: right where no factor moves a value across a bound
 */
export function scaleChannels(
  graph: Graph,
  groups: readonly GroupFactors[],
  scaleClamps = true,
): Graph {
  const written = new Map<string, Float64Array>();
  const read = new Map<string, Float64Array>();
  const clamped = new Map<string, Float64Array>();
  for (const { group, factors } of groups) {
    for (const conv of group.writers) written.set(conv.name, factors);
    for (const conv of group.readers) read.set(conv.name, factors);
    if (scaleClamps) for (const node of group.clamped) clamped.set(node.name, factors);
  }
  const changes = new Map<string, ConvChange>();
  for (const node of graph.nodes) {
    if (node.op !== 'Conv' || !(written.has(node.name) || read.has(node.name))) continue;
    const weight = scaledWeight(graph, node, written.get(node.name), read.get(node.name));
    const factors = written.get(node.name);
    const bias = factors === undefined ? biasOf(graph, node) : times(biasOf(graph, node), factors);
    changes.set(node.name, { weight, bias });
  }
  const scaled = withParameters(graph, changes);
  return {
    ...scaled,
    nodes: scaled.nodes.map((node) => withScaledClamp(node, clamped.get(node.name))),
    normalizations: new Map(
      [...graph.normalizations].map(([name, statistics]) => [
        name,
        scaledStatistics(statistics, written.get(name)),
      ]),
    ),
  };
}

function scaledWeight(
  graph: Graph,
  conv: ConvNode,
  written: Float64Array | undefined,
  read: Float64Array | undefined,
): Float32Array {
  const { data, shape } = weightOf(graph, conv);
  const taps = shape[2]! * shape[3]!;
  const scaled = new Float32Array(data.length);
  let i = 0;
  for (let oc = 0; oc < shape[0]!; oc++) {
    const { first, count } = inputChannels(conv, shape, oc);
    for (let ic = first; ic < first + count; ic++) {
      const factor = (written?.[oc] ?? 1) / (read?.[ic] ?? 1);
      for (let tap = 0; tap < taps; tap++, i++) scaled[i] = data[i]! * factor;
    }
  }
  return scaled;
}

function times(values: Float32Array, factors: Float64Array): Float32Array {
  return values.map((value, c) => value * factors[c]!);
}

function withScaledClamp(node: Node, factors: Float64Array | undefined): Node {
  if (factors === undefined || !('clamp' in node)) return node;
  const scale = (bounds: Float32Array): Float32Array =>
    Float32Array.from(factors, (factor, c) => {
      const bound = bounds.length === 1 ? bounds[0]! : bounds[c]!;
      // Infinity and 0 stay what they are.
      return bound * factor;
    });
  const clamp: Clamp = { lo: collapse(scale(node.clamp.lo)), hi: collapse(scale(node.clamp.hi)) };
  return { ...node, clamp };
}

function collapse(bounds: Float32Array): Float32Array {
  return bounds.every((bound) => bound === bounds[0]) ? bounds.slice(0, 1) : bounds;
}

function scaledStatistics(
  statistics: ChannelStatistics,
  factors: Float64Array | undefined,
): ChannelStatistics {
  if (factors === undefined) return statistics;
  return {
    ...statistics,
    mean: times(statistics.mean, factors),
    std: times(statistics.std, factors),
    alpha: times(statistics.alpha, factors),
  };
}
