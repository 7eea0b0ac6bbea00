// SPDX-License-Identifier: Apache-2.0
import type { Needs, Statistics } from '../../calibrate/statistics.js';
import type { ChannelStatistics, ConvNode, Graph, Node } from '../../graph/graph.js';
import { convolutionsOf, weightOf } from '../../quantize/network/connections.js';
import { zeroVariances } from '../../quantize/repair-variance/repair-variance.js';
import { scoresOf } from '../../quantize/network/scores.js';
import { cutAt } from '../../quantize/network/cut-at.js';
import { activationDistribution, type ActivationDistribution } from './activations.js';
import { noiseShares } from './noise-shares.js';
import { meanOf, medianOf } from './spread.js';
import { weightDistribution, type WeightDistribution } from './weights.js';

/** `convolution` with several taps over all channels; `dense` on a single position. */
type LayerKind = 'convolution' | 'depthwise' | 'pointwise' | 'dense' | 'addition' | 'other';

/** What the batch norm that was folded into a layer did to its weights. */
interface NormalizationFacts {
  /** Channels whose running variance is next to nothing: Sheng et al. 2018. */
  readonly zeroVariance: number;
  /** Largest |alpha| = |gamma| / sqrt(variance + epsilon) / the layer's median one. */
  readonly largestAlpha: number;
}

/** Share of the modelled noise of the scores, %, with one weight scale a tensor and with one a channel. */
interface NoisePercent {
  readonly perTensor: number;
  readonly perChannel: number;
}

export interface LayerDistribution {
  readonly name: string;
  readonly kind: LayerKind;
  readonly channels: number;
  readonly weights?: WeightDistribution & { readonly noisePercent?: NoisePercent };
  readonly normalization?: NormalizationFacts;
  readonly activations?: ActivationDistribution & { readonly noisePercent?: NoisePercent };
}

/** The layers of one kind, together. */
export interface KindSummary {
  readonly kind: LayerKind;
  readonly layers: number;
  /** Means over the layers. */
  readonly weightChannelPrecision?: number;
  readonly activationChannelPrecision?: number;
  /** Medians over the layers, one weight scale a tensor. */
  readonly weightMedianChannelDb?: number;
  readonly activationMedianChannelDb?: number;
}

export interface Distributions {
  readonly layers: readonly LayerDistribution[];
  readonly kinds: readonly KindSummary[];
}

/** The part of a network whose values are looked at: up to its scores. */
export function untilScores(graph: Graph): Graph {
  return cutAt(graph, [scoresOf(graph)]);
}

/** What `distributionsOf` wants to know of activations. @param graph of `untilScores` */
export function distributionNeeds(graph: Graph): Needs {
  const written = graph.nodes.flatMap(({ outputs }) => outputs);
  const values = [graph.inputs[0]!.name, ...written];
  return {
    histogram: values,
    channelRange: values,
    moments: values,
    active: graph.nodes.flatMap((node) => ('clamp' in node ? node.outputs : [])),
  };
}

/**
 * How the weights and, with `statistics`, the activations of each layer spread, and what that costs in 8 bits: the
 * measures of Yun and Wong 2021 and Sheng et al. 2018, and a share of the scores' modelled noise.
 *
 * @param graph canonical, of `untilScores`
 * @param statistics the answers to `distributionNeeds`
 */
export function distributionsOf(graph: Graph, statistics?: Statistics): Distributions {
  const weights = new Map(convolutionsOf(graph).map((c) => [c.name, weightDistribution(graph, c)]));
  if (statistics === undefined) {
    const layers = convolutionsOf(graph).map((conv) => ({
      ...described(graph, conv),
      weights: weights.get(conv.name)!,
    }));
    return { layers, kinds: kindsOf(layers) };
  }
  const written = graph.nodes.filter(rounds).flatMap(({ outputs }) => outputs);
  const made = new Set([graph.inputs[0]!.name, ...written]);
  const perTensor = noiseShares(graph, statistics, made, 'per-tensor');
  const perChannel = noiseShares(graph, statistics, made, 'per-channel');
  const noise = (of: 'weights' | 'values', name: string): NoisePercent => ({
    perTensor: perTensor[of].get(name) ?? 0,
    perChannel: perChannel[of].get(name) ?? 0,
  });
  const layers = graph.nodes.filter(rounds).map((node): LayerDistribution => {
    const own = weights.get(node.name);
    return {
      ...described(graph, node),
      ...(own && { weights: { ...own, noisePercent: noise('weights', node.name) } }),
      activations: {
        ...activationDistribution(node, statistics),
        noisePercent: noise('values', node.outputs[0]!),
      },
    };
  });
  return { layers, kinds: kindsOf(layers) };
}

/** Whether a node's codes are its own; the others hand on those of their input. */
function rounds({ op }: Node): boolean {
  return !copying.has(op);
}

const copying: ReadonlySet<Node['op']> = new Set<Node['op']>([
  'Concat',
  'Identity',
  'MaxPool',
  'Pad',
  'Reshape',
  'Resize',
  'Transpose',
]);

function described(graph: Graph, node: Node): LayerDistribution {
  const norm = graph.normalizations.get(node.name);
  return {
    name: node.name,
    kind: kindOf(graph, node),
    channels: graph.shapes.get(node.outputs[0]!)?.[1] ?? 1,
    ...(norm && { normalization: normalizationFacts(norm) }),
  };
}

function kindOf(graph: Graph, node: Node): LayerKind {
  if (node.op === 'Add') return 'addition';
  if (node.op !== 'Conv') return 'other';
  const [, perGroup = 1] = weightOf(graph, node).shape;
  if (perGroup === 1 && node.group > 1) return 'depthwise';
  if (node.kernel[0] * node.kernel[1] > 1) return 'convolution';
  return isDense(graph, node) ? 'dense' : 'pointwise';
}

function isDense(graph: Graph, { outputs }: ConvNode): boolean {
  const [, , height = 1, width = 1] = graph.shapes.get(outputs[0]!) ?? [];
  return height * width === 1;
}

function normalizationFacts({ variance, alpha }: ChannelStatistics): NormalizationFacts {
  const sizes = Array.from(alpha, Math.abs);
  const usual = medianOf(sizes) ?? 0;
  return {
    zeroVariance: zeroVariances(variance).filter((zero) => zero).length,
    largestAlpha: usual > 0 ? Math.max(...sizes) / usual : 1,
  };
}

function kindsOf(layers: readonly LayerDistribution[]): KindSummary[] {
  const kinds = [...new Set(layers.map(({ kind }) => kind))];
  return kinds.map((kind) => {
    const own = layers.filter((layer) => layer.kind === kind);
    const weights = own.flatMap((layer) => layer.weights ?? []);
    const activations = own.flatMap((layer) => layer.activations ?? []);
    const known = {
      weightChannelPrecision: meanOf(weights.map((one) => one.channelPrecision)),
      activationChannelPrecision: meanOf(activations.map((one) => one.channelPrecision)),
      weightMedianChannelDb: medianOf(
        weights.flatMap((one) => one.perTensor.medianChannelDb ?? []),
      ),
      activationMedianChannelDb: medianOf(activations.flatMap((one) => one.medianChannelDb ?? [])),
    };
    const facts = Object.entries(known).filter(([, value]) => Number.isFinite(value));
    return { kind, layers: own.length, ...Object.fromEntries(facts) };
  });
}
