// SPDX-License-Identifier: Apache-2.0
// The model of quantization noise that equalization minimizes, and that noise shares of an
// analysis show. An error of rounding is independent, uniform over a step s, of variance s^2 / 12,
// and small.
//
//   weight W_oi   its error meets the input: variance s^2 / 12 x P_i per tap, P_i = Var[x_i] + 0.05 E[x_i]^2
//   bias b_o      an input that is always 1, where the target's biases have a coarse step
//   value x_c     variance s^2 / 12
//
// each times the cost of noise where it arises (value-costs.ts).
import type { ChannelRange } from '../../calibrate/observers/range.js';
import type { Statistics } from '../../calibrate/statistics.js';
import type { ConvNode, Graph, Node } from '../../graph/graph.js';
import { connectionsOf } from '../network/connections.js';
import { throughClamp, valueCosts } from './value-costs.js';
import { weightPairs, type WeightPairs } from './weight-pairs.js';

/** What the noise model knows of one convolution. */
export interface LayerNoise extends WeightPairs {
  readonly conv: ConvNode;
  /** Power that a rounding error of a weight is multiplied by, per input channel. */
  readonly power: Float64Array;
  /** The same for the rounding error of each output's bias, where the target's have a coarse step; else 0. */
  readonly biasPower: number;
  /** What noise of one channel before the clamp costs at the network's output. */
  readonly cost: Float64Array;
}

/** What the noise model knows of one value. */
export interface ValueNoise {
  readonly value: string;
  /** Minimal and maximal value that each channel is to hold. */
  readonly min: Float32Array;
  readonly max: Float32Array;
  /** What noise of one channel of the value costs at the network's output. */
  readonly cost: Float64Array;
}

/** Everything that is rounded, with what its rounding costs. */
export interface NoiseModel {
  readonly layers: readonly LayerNoise[];
  readonly values: readonly ValueNoise[];
}

/**
 * Share of a mean that counts as if it varied. The mean part of a weight's error is a shift that
 * bias correction takes away; what stays is its unevenness at the borders.
 */
const meanShare = 0.05;

/**
 * Share of a coarse bias's rounding error that counts: a shift as well, and the layers behind make
 * good most of it. Of 0, 0.005, 0.015, 0.05, 0.2 and 1 this gave V1 0.25 on MAX78000 the best SQNR.
 */
const biasShare = 0.015;

/**
 * A model of what quantization noise costs: rounding errors are independent, uniform and small,
 * and their variance travels to the output through the squares of the weights and through the
 * share of values that a clamp lets pass.
 *
 * @param statistics moments and channel ranges of every value, of the same graph
 * @param active share of values strictly inside their clamp, by value and channel
 * @param biasStep step of the biases in codes; a bias is then a weight of a constant input
 */
export function noiseModel(
  graph: Graph,
  statistics: Statistics,
  active: ReadonlyMap<string, Float64Array>,
  biasStep = 0,
): NoiseModel {
  const costs = valueCosts(graph, active);
  const layers: LayerNoise[] = [];
  for (const node of graph.nodes) {
    if (node.op !== 'Conv') continue;
    const { mean, variance } = statistics.moments.get(node.inputs[0]!)!;
    const power = variance.map((value, c) => value + meanShare * mean[c]! ** 2);
    const cost = throughClamp(costs.get(node.outputs[0]!)!, active.get(node.outputs[0]!));
    const range = statistics.channelRange.get(node.inputs[0]!);
    const biasPower = range === undefined ? 0 : biasShare * (biasStep * symmetricStep(range)) ** 2;
    layers.push({ conv: node, ...weightPairs(graph, node), power, biasPower, cost });
  }
  const { producers } = connectionsOf(graph);
  const values = [...costs].flatMap(([value, cost]): ValueNoise[] => {
    const range = statistics.channelRange.get(value);
    if (range === undefined) return [];
    return [{ value, min: range.min, max: reachOf(range, producers.get(value)), cost }];
  });
  return { layers, values };
}

/**
 * What each channel needs of the range behind a ReLU: what images that were not seen may bring, within its
 * clamp and within the channel that went furthest. Factors that count on what was seen alone blow up a channel
 * that few images use, and the next image that does is cut off. Sums without a ReLU are used by all images.
 */
function reachOf({ max, reach }: ChannelRange, writer: Node | undefined): Float32Array {
  const clamp = writer !== undefined && 'clamp' in writer ? writer.clamp : undefined;
  if (clamp?.lo.every((bound) => bound === 0) !== true) return max;
  const { hi } = clamp;
  const top = max.reduce((a, b) => Math.max(a, b), 0);
  return max.map((seen, c) =>
    Math.max(seen, Math.min(reach[c]!, hi[hi.length === 1 ? 0 : c]!, top)),
  );
}

/** The step of 8-bit codes around zero that hold all channels. */
function symmetricStep({ min, max }: Pick<ChannelRange, 'min' | 'max'>): number {
  const reach = max.map((value, c) => Math.max(value, -min[c]!));
  return reach.reduce((a, b) => Math.max(a, b), 0) / 127;
}
