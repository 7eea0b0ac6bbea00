// SPDX-License-Identifier: Apache-2.0
import { ModelError } from '../../errors.js';
import type { Clamp, ConvNode, Graph, Node, Shape } from '../../graph/graph.js';
import { logitDeviation, makesLogits } from './logits.js';
import { mapLaw } from './map-law.js';
import {
  channelOf,
  clampedMoments,
  clampLaw,
  lawFrom,
  type ChannelLaw,
  type Law,
} from './normal.js';
import { convResponse } from './response.js';

/** By value name. */
export type Laws = ReadonlyMap<string, ChannelLaw>;

/**
 * A law for every value of the graph. A convolution with a folded batch norm has the norm's own:
 * normal around beta with deviation |gamma|. Everything else is carried on from its inputs: clamps
 * cut the law, sums and convolutions without a norm take their operands for independent, and an
 * average keeps the deviation of what it averages (neighbours are alike, so this is the safe side).
 *
 * @param input law of the network's input
 * @throws ModelError `data-free` at an operator whose output cannot be told
 */
export function channelLaws(graph: Graph, input: ChannelLaw): Laws {
  const laws = new Map<string, ChannelLaw>([[graph.inputs[0]!.name, input]]);
  for (const node of graph.nodes) {
    const law = lawOf(graph, node, (name) => operand(laws, node, name));
    const clamp = 'clamp' in node ? node.clamp : undefined;
    laws.set(node.outputs[0]!, clamp === undefined ? law : clamped(law, clamp));
  }
  return laws;
}

function operand(laws: Laws, node: Node, name: string): ChannelLaw {
  const law = laws.get(name);
  if (law !== undefined) return law;
  throw new ModelError(
    'data-free',
    `node "${node.name}"`,
    `what "${name}" holds is not known without images; give --calib DIR instead of --data-free`,
  );
}

function lawOf(graph: Graph, node: Node, of: (name: string) => ChannelLaw): ChannelLaw {
  const first = (): ChannelLaw => of(node.inputs[0]!);
  switch (node.op) {
    case 'Conv':
      return normalized(graph, node) ?? convolved(graph, node, first());
    case 'Clamp':
    case 'MaxPool':
    case 'Pad':
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
      return mapLaw(first(), (x) => unit(node.alpha * x + node.beta));
    case 'HardSwish':
      return mapLaw(first(), (x) => x * unit(node.alpha * x + node.beta));
    case 'Sigmoid':
      return mapLaw(first(), (x) => 1 / (1 + Math.exp(-x)));
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
function normalized(graph: Graph, conv: ConvNode): ChannelLaw | undefined {
  const statistics = graph.normalizations.get(conv.name);
  if (statistics === undefined) return undefined;
  return open(Float64Array.from(statistics.mean), Float64Array.from(statistics.std));
}

function convolved(graph: Graph, conv: ConvNode, input: ChannelLaw): ChannelLaw {
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
export function momentsOf(law: ChannelLaw): { mean: Float64Array; variance: Float64Array } {
  const moments = Array.from(law.mean, (_, c) => clampedMoments(channelOf(law, c)));
  return {
    mean: Float64Array.from(moments, ({ mean }) => mean),
    variance: Float64Array.from(moments, ({ variance }) => variance),
  };
}

function open(mean: Float64Array, std: Float64Array): ChannelLaw {
  const lo = new Float64Array(mean.length).fill(-Infinity);
  const hi = new Float64Array(mean.length).fill(Infinity);
  return { mean, std, lo, hi };
}

/** A normal with the moments after the clamp, within the same bounds. */
function settled(law: ChannelLaw): ChannelLaw {
  const { mean, variance } = momentsOf(law);
  return { ...law, mean, std: variance.map(Math.sqrt) };
}

function clamped(law: ChannelLaw, clamp: Clamp): ChannelLaw {
  const at = (side: Float32Array, c: number): number => side[side.length === 1 ? 0 : c]!;
  return lawFrom(law.mean.length, (c) =>
    clampLaw(channelOf(law, c), at(clamp.lo, c), at(clamp.hi, c)),
  );
}

/** Channels that stay channels keep their laws; otherwise all get the mixture of all. */
function reshaped(law: ChannelLaw, shape: Shape): ChannelLaw {
  const channels = shape[1] ?? 1;
  if (channels === law.mean.length) return law;
  const { mean, variance } = momentsOf(law);
  const average = (values: Float64Array): number =>
    values.reduce((a, b) => a + b, 0) / values.length;
  const middle = average(mean);
  const spread = average(variance.map((v, c) => v + (mean[c]! - middle) ** 2));
  const mixture: Law = {
    mean: middle,
    std: Math.sqrt(spread),
    lo: law.lo.reduce((a, b) => Math.min(a, b)),
    hi: law.hi.reduce((a, b) => Math.max(a, b)),
  };
  return lawFrom(channels, () => mixture);
}

function sum(a: ChannelLaw, b: ChannelLaw): ChannelLaw {
  const [left, right] = [momentsOf(a), momentsOf(b)];
  return lawFrom(Math.max(a.mean.length, b.mean.length), (c) => {
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
function product(a: ChannelLaw, b: ChannelLaw): ChannelLaw {
  const [left, right] = [momentsOf(a), momentsOf(b)];
  return lawFrom(Math.max(a.mean.length, b.mean.length), (c) => {
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

function concatenated(laws: readonly ChannelLaw[]): ChannelLaw {
  const joined = (part: keyof ChannelLaw): Float64Array =>
    Float64Array.from(laws.flatMap((law) => [...law[part]]));
  return { mean: joined('mean'), std: joined('std'), lo: joined('lo'), hi: joined('hi') };
}

/** Softmax: every channel within [0, 1], 1 / C in the mean. */
function shares(channels: number): ChannelLaw {
  return lawFrom(channels, () => ({ mean: 1 / channels, std: 1, lo: 0, hi: 1 }));
}
