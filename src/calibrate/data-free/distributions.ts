// SPDX-License-Identifier: Apache-2.0
import { ModelError } from '../../errors.js';
import type { Clamp, ConvNode, Graph, Node, Shape } from '../../graph/graph.js';
import { logitDeviation, makesLogits } from './logits.js';
import { mapDistribution } from './map-distribution.js';
import {
  channelOf,
  clampedMoments,
  clampDistribution,
  distributionFrom,
  type ChannelDistribution,
  type Distribution,
} from './normal.js';
import { convResponse } from './response.js';
import { gelu } from '../../numeric/gelu.js';

/** By value name. */
export type Distributions = ReadonlyMap<string, ChannelDistribution>;

/**
 * A distribution for every value of the graph. A convolution with a folded batch norm has the norm's own:
 * normal around beta with deviation |gamma|. Everything else is carried on from its inputs: clamps
 * cut the distribution, sums and convolutions without a norm take their operands for independent, and an
 * average keeps the deviation of what it averages (neighbours are alike, so this is the safe side).
 *
 * @param input distribution of the network's input
 * @throws ModelError `data-free` at an operator whose output cannot be told
 */
export function channelDistributions(graph: Graph, input: ChannelDistribution): Distributions {
  const distributions = new Map<string, ChannelDistribution>([[graph.inputs[0]!.name, input]]);
  for (const node of graph.nodes) {
    const distribution = distributionOf(graph, node, (name) => operand(distributions, node, name));
    const clamp = 'clamp' in node ? node.clamp : undefined;
    distributions.set(
      node.outputs[0]!,
      clamp === undefined ? distribution : clamped(distribution, clamp),
    );
  }
  return distributions;
}

function operand(distributions: Distributions, node: Node, name: string): ChannelDistribution {
  const distribution = distributions.get(name);
  if (distribution !== undefined) return distribution;
  throw new ModelError(
    'data-free',
    `node "${node.name}"`,
    `what "${name}" holds is not known without images; give --calib DIR instead of --data-free`,
  );
}

function distributionOf(
  graph: Graph,
  node: Node,
  of: (name: string) => ChannelDistribution,
): ChannelDistribution {
  const first = (): ChannelDistribution => of(node.inputs[0]!);
  switch (node.op) {
    case 'Conv':
      return normalized(graph, node) ?? convolved(graph, node, first());
    case 'Clamp':
    case 'MaxPool':
    case 'Pad':
    case 'Resize':
      return first();
    case 'AveragePool':
    case 'GlobalAveragePool':
      return settled(first());
    case 'Reshape':
      return reshaped(first(), node.shape);
    case 'Add':
      return sum(first(), of(node.inputs[1]!));
    case 'Mul':
      return product(first(), of(node.inputs[1]!));
    case 'Concat':
      return concatenated(node.inputs.map(of));
    case 'Softmax':
      return shares(first().mean.length);
    case 'HardSigmoid':
      return mapDistribution(first(), (x) => unit(node.alpha * x + node.beta));
    case 'HardSwish':
      return mapDistribution(first(), (x) => x * unit(node.alpha * x + node.beta));
    case 'Gelu':
      return mapDistribution(first(), (x) => gelu(x, node.approximate));
    case 'Sigmoid':
      return mapDistribution(first(), (x) => 1 / (1 + Math.exp(-x)));
    case 'BatchNorm':
    case 'Div':
    case 'Gemm':
    case 'Identity':
    case 'MatMul':
    case 'ReduceMean':
    case 'Sub':
    case 'Transpose':
      throw new ModelError(
        'data-free',
        `node "${node.name}"`,
        `what ${node.op} makes of its input is not known without images; give --calib DIR instead of --data-free`,
      );
  }
}

function unit(x: number): number {
  return Math.min(1, Math.max(0, x));
}

/** What the batch norm says that was folded into the convolution. */
function normalized(graph: Graph, conv: ConvNode): ChannelDistribution | undefined {
  const statistics = graph.normalizations.get(conv.name);
  if (statistics === undefined) return undefined;
  return open(Float64Array.from(statistics.mean), Float64Array.from(statistics.std));
}

function convolved(graph: Graph, conv: ConvNode, input: ChannelDistribution): ChannelDistribution {
  const [x, kernel, biasName = ''] = conv.inputs;
  const weight = graph.constants.get(kernel!)!;
  const bias = graph.constants.get(biasName)?.data;
  const shapes = [graph.shapes.get(x!)!, graph.shapes.get(conv.outputs[0]!)!] as const;
  const response = convResponse(conv, weight, ...shapes);
  const { mean, variance } = momentsOf(input);
  const std = response.variance(variance).map(Math.sqrt);
  return open(
    response.mean(mean).map((value, c) => value + (bias?.[c] ?? 0)),
    makesLogits(graph, conv) ? logitDeviation(std, weight, variance) : std,
  );
}

/** Mean and variance after the clamps, by channel. */
export function momentsOf(distribution: ChannelDistribution): {
  mean: Float64Array;
  variance: Float64Array;
} {
  const moments = Array.from(distribution.mean, (_, c) =>
    clampedMoments(channelOf(distribution, c)),
  );
  return {
    mean: Float64Array.from(moments, ({ mean }) => mean),
    variance: Float64Array.from(moments, ({ variance }) => variance),
  };
}

function open(mean: Float64Array, std: Float64Array): ChannelDistribution {
  const lo = new Float64Array(mean.length).fill(-Infinity);
  const hi = new Float64Array(mean.length).fill(Infinity);
  return { mean, std, lo, hi };
}

/** A normal with the moments after the clamp, within the same bounds. */
function settled(distribution: ChannelDistribution): ChannelDistribution {
  const { mean, variance } = momentsOf(distribution);
  return { ...distribution, mean, std: variance.map(Math.sqrt) };
}

function clamped(distribution: ChannelDistribution, clamp: Clamp): ChannelDistribution {
  const at = (side: Float32Array, c: number): number => side[side.length === 1 ? 0 : c]!;
  return distributionFrom(distribution.mean.length, (c) =>
    clampDistribution(channelOf(distribution, c), at(clamp.lo, c), at(clamp.hi, c)),
  );
}

/** Channels that stay channels keep their distributions; otherwise all get the mixture of all. */
function reshaped(distribution: ChannelDistribution, shape: Shape): ChannelDistribution {
  const channels = shape[1] ?? 1;
  if (channels === distribution.mean.length) return distribution;
  const { mean, variance } = momentsOf(distribution);
  const average = (values: Float64Array): number =>
    values.reduce((a, b) => a + b, 0) / values.length;
  const middle = average(mean);
  const spread = average(variance.map((v, c) => v + (mean[c]! - middle) ** 2));
  const mixture: Distribution = {
    mean: middle,
    std: Math.sqrt(spread),
    lo: distribution.lo.reduce((a, b) => Math.min(a, b)),
    hi: distribution.hi.reduce((a, b) => Math.max(a, b)),
  };
  return distributionFrom(channels, () => mixture);
}

function sum(a: ChannelDistribution, b: ChannelDistribution): ChannelDistribution {
  const [left, right] = [momentsOf(a), momentsOf(b)];
  return distributionFrom(Math.max(a.mean.length, b.mean.length), (c) => {
    const [i, j] = [c % a.mean.length, c % b.mean.length];
    return {
      mean: left.mean[i]! + right.mean[j]!,
      std: Math.sqrt(left.variance[i]! + right.variance[j]!),
      lo: a.lo[i]! + b.lo[j]!,
      hi: a.hi[i]! + b.hi[j]!,
    };
  });
}

/** Of independent factors, one of which may be a single channel or a single position. */
function product(a: ChannelDistribution, b: ChannelDistribution): ChannelDistribution {
  const [left, right] = [momentsOf(a), momentsOf(b)];
  return distributionFrom(Math.max(a.mean.length, b.mean.length), (c) => {
    const [i, j] = [c % a.mean.length, c % b.mean.length];
    const [m, n] = [left.mean[i]!, right.mean[j]!];
    const [v, w] = [left.variance[i]!, right.variance[j]!];
    const corners = [
      a.lo[i]! * b.lo[j]!,
      a.lo[i]! * b.hi[j]!,
      a.hi[i]! * b.lo[j]!,
      a.hi[i]! * b.hi[j]!,
    ];
    // 0 x Infinity: that side is open for the other factor's sake.
    const bounds = corners.map((x) => (Number.isNaN(x) ? 0 : x));
    return {
      mean: m * n,
      std: Math.sqrt(v * w + v * n * n + w * m * m),
      lo: Math.min(...bounds),
      hi: Math.max(...bounds),
    };
  });
}

function concatenated(distributions: readonly ChannelDistribution[]): ChannelDistribution {
  const joined = (part: keyof ChannelDistribution): Float64Array =>
    Float64Array.from(distributions.flatMap((distribution) => [...distribution[part]]));
  return { mean: joined('mean'), std: joined('std'), lo: joined('lo'), hi: joined('hi') };
}

/** Softmax: every channel within [0, 1], 1 / C in the mean. */
function shares(channels: number): ChannelDistribution {
  return distributionFrom(channels, () => ({ mean: 1 / channels, std: 1, lo: 0, hi: 1 }));
}
