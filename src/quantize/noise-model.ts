// SPDX-License-Identifier: Apache-2.0
import type { ChannelRange } from '../calibrate/observers/range.js';
import type { Statistics } from '../calibrate/statistics.js';
import type { ConvNode, Graph, Node } from '../graph/graph.js';
import { connectionsOf, shapeOf, weightOf } from './connections.js';
import { inputChannels } from './scale-channels.js';

/** What the noise model knows of one convolution. */
export interface LayerNoise {
  readonly conv: ConvNode;
  readonly outputs: number;
  readonly inputs: number;
  /** Inputs per output channel: `inputs / group`. */
  readonly perGroup: number;
  /** Largest weight above and below zero for each (output, input of its group) pair. */
  readonly positive: Float64Array;
  readonly negative: Float64Array;
  /** Sum over the taps of squares for each such pair. */
  readonly energy: Float64Array;
  /** Power that a rounding error of a weight is multiplied by, per input channel. */
  readonly power: Float64Array;
  /** The same for the rounding error of a bias, where the target's have a coarse step; else 0. */
  readonly biasPower: number;
  /** Number of taps, KH x KW. */
  readonly taps: number;
  /** What noise of one channel before the clamp costs at the network's output. */
  readonly cost: Float64Array;
}

/** What the noise model knows of one value. */
export interface ValueNoise {
  readonly value: string;
  /** Least and greatest value that each channel is to hold. */
  readonly min: Float32Array;
  readonly max: Float32Array;
  /** What noise of one channel of the value costs at the network's output. */
  readonly cost: Float64Array;
}

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
    layers.push({ conv: node, ...pairs(graph, node), power, biasPower, cost });
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

function throughClamp(cost: Float64Array, active: Float64Array | undefined): Float64Array {
  return active === undefined ? cost : cost.map((value, c) => value * active[c]!);
}

/**
 * What noise of each channel of each value costs at the network's output, where each channel costs
 * 1. Walks backwards.
 *
 * @param active as for `noiseModel`; values that it leaves out count as passed entirely
 * @param noise `independent` from position to position, so that averages take it away, or the same everywhere
 */
export function valueCosts(
  graph: Graph,
  active: ReadonlyMap<string, Float64Array>,
  noise: 'independent' | 'coherent' = 'independent',
): Map<string, Float64Array> {
  const { producers } = connectionsOf(graph);
  const costs = new Map<string, Float64Array>();
  const add = (value: string, cost: (c: number) => number): void => {
    if (graph.constants.has(value) || value === '') return;
    const sum = costs.get(value) ?? new Float64Array(shapeOf(graph, value)[1] ?? 1);
    costs.set(
      value,
      sum.map((old, c) => old + cost(c)),
    );
  };
  for (const { name } of graph.outputs) add(name, () => 1);
  for (const node of [...graph.nodes].reverse()) {
    const output = costs.get(node.outputs[0]!);
    if (output === undefined) continue;
    const passed = 'clamp' in node ? throughClamp(output, active.get(node.outputs[0]!)) : output;
    if (node.op === 'Conv') {
      const gathered = gather(graph, node, passed);
      add(node.inputs[0]!, (c) => gathered[c]!);
    } else {
      const share = noise === 'coherent' ? 1 : averaging(graph, node);
      for (const input of node.inputs) {
        const channels = graph.shapes.get(input)?.[1];
        if (channels === undefined || (channels !== passed.length && producers.has(input)))
          continue;
        add(input, (c) => passed[c]! * share);
      }
    }
  }
  return costs;
}

/** Independent noise shrinks where values are averaged. */
function averaging(graph: Graph, node: Node): number {
  if (node.op === 'AveragePool') return 1 / (node.kernel[0] * node.kernel[1]);
  if (node.op !== 'GlobalAveragePool') return 1;
  const [, , height = 1, width = 1] = shapeOf(graph, node.inputs[0]!);
  return 1 / (height * width);
}

function gather(graph: Graph, conv: ConvNode, cost: Float64Array): Float64Array {
  const { energy, inputs, outputs, perGroup } = pairs(graph, conv);
  const { shape } = weightOf(graph, conv);
  const sum = new Float64Array(inputs);
  for (let oc = 0; oc < outputs; oc++) {
    const { first } = inputChannels(conv, shape, oc);
    for (let i = 0; i < perGroup; i++) sum[first + i]! += energy[oc * perGroup + i]! * cost[oc]!;
  }
  return sum;
}

function pairs(
  graph: Graph,
  conv: ConvNode,
): Pick<
  LayerNoise,
  'outputs' | 'inputs' | 'perGroup' | 'positive' | 'negative' | 'energy' | 'taps'
> {
  const { data, shape } = weightOf(graph, conv);
  const [outputs = 1, perGroup = 1, height = 1, width = 1] = shape;
  const taps = height * width;
  const positive = new Float64Array(outputs * perGroup);
  const negative = new Float64Array(outputs * perGroup);
  const energy = new Float64Array(outputs * perGroup);
  for (let i = 0; i < data.length; i++) {
    const pair = Math.floor(i / taps);
    const weight = data[i]!;
    positive[pair] = Math.max(positive[pair]!, weight);
    negative[pair] = Math.max(negative[pair]!, -weight);
    energy[pair]! += weight * weight;
  }
  return { outputs, inputs: perGroup * conv.group, perGroup, positive, negative, energy, taps };
}
