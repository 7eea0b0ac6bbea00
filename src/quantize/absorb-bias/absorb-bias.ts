// SPDX-License-Identifier: Apache-2.0
// High-bias absorption. Nagel, van Baalen, Blankevoort and Welling 2019, "Data-Free Quantization
// Through Weight Equalization and Bias Correction", arXiv 1906.04721, section 4.1.3.
//
// Symbols: h_c the sum of channel c before its ReLU, taken for normal with the folded batch norm's
// mean beta_c and deviation |gamma_c|; W the weights of a layer that reads the channel, b its
// bias.
//
//   1. c_c = max(0, beta_c - 3 |gamma_c|): what h_c all but never falls below (0.13 % of a normal does).
//   2. The writer's bias goes down by c_c. For h >= c: relu(h - c) = relu(h) - c.
//   3. Every reader's bias goes up by what it lacks: b <- b + sum over taps of W c.
//
// The range of the value shrinks by c_c, and with it the quantization step.
import type { ConvNode, Graph, Node } from '../../graph/graph.js';
import {
  biasOf,
  connectionsOf,
  convolutionsOf,
  weightOf,
  withParameters,
  type Connections,
  type ConvChange,
} from '../network/connections.js';
import { inputChannels } from '../network/input-channels.js';

/** The network with biases absorbed, and what was done to it. */
export interface Absorption {
  readonly graph: Graph;
  /** Number of channels that were lowered, by layer. */
  readonly absorbed: ReadonlyMap<string, number>;
  /** Layers with high biases that had to keep them, with the reason. */
  readonly kept: ReadonlyMap<string, string>;
}

/** Deviations below the mean that a channel's values are taken never to fall under. */
const rare = 3;

/**
 * High-bias absorption (Nagel et al. 2019): a channel whose values before its ReLU all but never
 * come below c = max(0, beta - 3 |gamma|) > 0 is lowered by c, which its readers add back in their
 * biases, so its range shrinks by c: relu(h - c) = relu(h) - c for h >= c. Beta and gamma are the
 * folded batch norm's.
 *
 * The upper bound of a clamp moves down by c too: only where the target has clamps per channel, or
 * where values all but never come near it. A reader that pads with zeros would see c at the border;
 * such layers, and those read by something else than a convolution, keep their biases.
 */
export function absorbBias(graph: Graph, perChannelClamp: boolean): Absorption {
  const connections = connectionsOf(graph);
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const lowered = new Map<string, Float64Array>();
  const kept = new Map<string, string>();
  for (const conv of convolutionsOf(graph)) {
    const amounts = excess(graph, conv, perChannelClamp);
    if (amounts?.some((amount) => amount > 0) !== true) continue;
    const reason = obstacle(conv, connections, outputs);
    if (reason === undefined) lowered.set(conv.name, amounts);
    else kept.set(conv.name, reason);
  }
  return {
    graph: lower(graph, connections, lowered, perChannelClamp),
    absorbed: new Map(
      [...lowered].map(([name, amounts]) => [name, amounts.filter((a) => a > 0).length]),
    ),
    kept,
  };
}

/** c by channel; undefined where nothing is known of the layer or it has no ReLU. */
function excess(graph: Graph, conv: ConvNode, perChannelClamp: boolean): Float64Array | undefined {
  const statistics = graph.normalizations.get(conv.name);
  const { clamp } = conv;
  if (statistics === undefined || clamp === undefined) return undefined;
  const at = (side: Float32Array, c: number): number => side[side.length === 1 ? 0 : c]!;
  return Float64Array.from(statistics.mean, (mean, c) => {
    const reach = rare * statistics.std[c]!;
    const [lo, hi] = [at(clamp.lo, c), at(clamp.hi, c)];
    if (lo !== 0 || mean - reach <= 0) return 0;
    if (hi === Infinity || mean + reach < hi) return mean - reach;
    // At most to the bound: above it the channel is constant.
    return perChannelClamp ? Math.min(mean - reach, hi) : 0;
  });
}

function obstacle(
  conv: ConvNode,
  { consumers }: Connections,
  outputs: ReadonlySet<string>,
): string | undefined {
  const output = conv.outputs[0]!;
  const readers: readonly Node[] = consumers.get(output) ?? [];
  if (outputs.has(output)) return 'an output of the network';
  const other = readers.find((node) => node.op !== 'Conv');
  if (other !== undefined) return `read by ${other.op}`;
  const padded = readers.some((node) => node.op === 'Conv' && node.pads.some((pad) => pad > 0));
  return padded ? 'read with padding' : undefined;
}

function lower(
  graph: Graph,
  { consumers }: Connections,
  lowered: ReadonlyMap<string, Float64Array>,
  perChannelClamp: boolean,
): Graph {
  const biases = new Map<string, Float32Array>();
  const bias = (conv: ConvNode): Float32Array => biases.get(conv.name) ?? biasOf(graph, conv);
  const changes = new Map<string, ConvChange>();
  const normalizations = new Map(graph.normalizations);
  for (const conv of convolutionsOf(graph)) {
    const amounts = lowered.get(conv.name);
    if (amounts === undefined) continue;
    biases.set(
      conv.name,
      bias(conv).map((b, c) => b - amounts[c]!),
    );
    for (const reader of consumers.get(conv.outputs[0]!) ?? []) {
      if (reader.op !== 'Conv') continue;
      const back = addedBack(graph, reader, amounts);
      biases.set(
        reader.name,
        bias(reader).map((b, c) => b + back[c]!),
      );
    }
    const statistics = normalizations.get(conv.name)!;
    normalizations.set(conv.name, {
      ...statistics,
      mean: statistics.mean.map((mean, c) => mean - amounts[c]!),
    });
    if (!perChannelClamp) continue;
    const { lo, hi } = conv.clamp!;
    const moved = Float32Array.from(amounts, (a, c) => hi[hi.length === 1 ? 0 : c]! - a);
    changes.set(conv.name, { clamp: { lo, hi: moved } });
  }
  for (const [name, values] of biases) changes.set(name, { ...changes.get(name), bias: values });
  return { ...withParameters(graph, changes), normalizations };
}

/** What the reader's sums lack once its input's channels are lowered. */
function addedBack(graph: Graph, conv: ConvNode, amounts: Float64Array): Float64Array {
  const { data, shape } = weightOf(graph, conv);
  const [outputs = 1, perGroup = 1] = shape;
  const taps = data.length / (outputs * perGroup);
  return Float64Array.from({ length: outputs }, (_, oc) => {
    const { first } = inputChannels(conv, shape, oc);
    let sum = 0;
    for (let i = 0; i < perGroup * taps; i++) {
      const weight = data[oc * perGroup * taps + i]!;
      sum += weight * amounts[first + Math.floor(i / taps)]!;
    }
    return sum;
  });
}
