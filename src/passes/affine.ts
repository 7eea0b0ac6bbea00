// SPDX-License-Identifier: Apache-2.0
// y = gain * x + shift per channel: the common form of batch norms and of additions and
// multiplications by constants, and how a convolution takes it in.
import { ModelError } from '../errors.js';
import { indexOf, namer, outputOf, rebuild } from '../graph/edit.js';
import type {
  BatchNormNode,
  ChannelStatistics,
  ConvNode,
  Graph,
  Node,
  Tensor,
} from '../graph/graph.js';
import { f32Tensor, perChannel } from '../graph/tensors.js';

export interface ChannelAffine {
  /** The activation that is scaled and shifted. */
  readonly input: string;
  /** One per channel. */
  readonly gain: Float64Array;
  readonly shift: Float64Array;
  /** The batch norm's parameters, where it was one. */
  readonly norm?: NormParameters;
}

interface NormParameters {
  readonly gamma: Float64Array;
  readonly beta: Float64Array;
  readonly variance: Float64Array;
}

/**
 * A batch norm as gain and shift: gain = gamma / sqrt(variance + epsilon),
 * shift = beta - mean * gain. A channel of variance 0 is fine as long as epsilon is not 0.
 *
 * @throws ModelError `bad-batch-norm` naming the channel whose variance + epsilon is not positive
 */
function batchNormAffine(graph: Graph, node: BatchNormNode): ChannelAffine | undefined {
  const [input, ...names] = node.inputs;
  const parameters = names.map((name) => graph.constants.get(name));
  if (parameters.length !== 4 || parameters.includes(undefined)) return undefined;
  const [gamma, beta, mean, variance] = parameters.map((tensor) => Float64Array.from(tensor!.data));
  const gain = gamma!.map((g, channel) => {
    const sum = variance![channel]! + node.epsilon;
    if (sum > 0) return g / Math.sqrt(sum);
    throw new ModelError(
      'bad-batch-norm',
      `node "${node.name}"`,
      `expected variance + epsilon above 0, got ${sum} in channel ${channel}; ` +
        `its output would not be finite`,
    );
  });
  const shift = beta!.map((b, channel) => b - mean![channel]! * gain[channel]!);
  return { input: input!, gain, shift, norm: { gamma: gamma!, beta: beta!, variance: variance! } };
}

/** Add, Sub, Mul or Div with a constant that is one number or one per channel. */
function constantAffine(graph: Graph, node: Node): ChannelAffine | undefined {
  if (node.op !== 'Add' && node.op !== 'Sub' && node.op !== 'Mul' && node.op !== 'Div')
    return undefined;
  if (node.op === 'Add' && node.clamp !== undefined) return undefined;
  const [a, b] = node.inputs as [string, string];
  const constantFirst = graph.constants.has(a);
  const tensor = graph.constants.get(constantFirst ? a : b);
  const input = constantFirst ? b : a;
  const shape = graph.shapes.get(input);
  // The constant must not widen the activation either.
  if (tensor === undefined || shape === undefined) return undefined;
  const values = perChannel(tensor, shape);
  if (values === undefined) return undefined;
  const all = (value: number) => new Float64Array(values.length).fill(value);
  switch (node.op) {
    case 'Add':
      return { input, gain: all(1), shift: values };
    case 'Sub':
      return constantFirst
        ? { input, gain: all(-1), shift: values }
        : { input, gain: all(1), shift: values.map((x) => -x) };
    case 'Mul':
      return { input, gain: values, shift: all(0) };
    case 'Div':
      if (constantFirst || values.includes(0)) return undefined;
      return { input, gain: values.map((x) => 1 / x), shift: all(0) };
  }
}

/** What a node does per channel, if that is all it does. */
export function channelAffine(graph: Graph, node: Node): ChannelAffine | undefined {
  return node.op === 'BatchNorm' ? batchNormAffine(graph, node) : constantAffine(graph, node);
}

/**
 * Folds every {@link channelAffine} into the convolution that feeds it and nothing else:
 * weight * gain, bias * gain + shift, computed in float64 and rounded once. Chains fold one after
 * the other. Keeps what a batch norm knew about the channels under the convolution's name.
 */
export function foldAffines(graph: Graph): Graph {
  const index = indexOf(graph);
  const fresh = namer(graph);
  const constants = new Map(graph.constants);
  const normalizations = new Map(graph.normalizations);
  /** By output value: the convolution that now makes it. */
  const convs = new Map<string, ConvNode>();
  const absorbed = new Map<Node, ConvNode>();
  for (const node of graph.nodes) {
    if (node.op === 'Conv') {
      convs.set(outputOf(node), node);
      continue;
    }
    const affine = channelAffine(graph, node);
    const conv = affine && convs.get(affine.input);
    if (affine === undefined) continue;
    if (conv?.clamp !== undefined) continue;
    if (index.soleConsumer(affine.input) !== node) continue;
    const folded = conv && foldOne(conv, affine, constants, fresh);
    if (conv === undefined || folded === undefined) continue;
    const statistics = foldedStatistics(normalizations.get(conv.name), affine);
    if (statistics !== undefined) normalizations.set(conv.name, statistics);
    const joined = { ...folded, outputs: node.outputs };
    convs.delete(affine.input);
    convs.set(outputOf(node), joined);
    absorbed.set(node, joined);
  }
  if (absorbed.size === 0) return graph;
  const current = new Map([...convs.values()].map((conv) => [conv.name, conv]));
  const nodes = graph.nodes
    .filter((node) => !absorbed.has(node))
    .map((node) => (node.op === 'Conv' ? (current.get(node.name) ?? node) : node));
  return rebuild(graph, { nodes, constants, normalizations });
}

function foldOne(
  conv: ConvNode,
  { gain, shift }: ChannelAffine,
  constants: Map<string, Tensor>,
  fresh: (wanted: string) => string,
): ConvNode | undefined {
  const weight = constants.get(conv.inputs[1]!);
  const bias = constants.get(conv.inputs[2] ?? '');
  if (weight?.shape[0] !== gain.length) return undefined;
  const inner = weight.data.length / gain.length;
  const weightName = fresh(`${conv.name}/weight`);
  const biasName = fresh(`${conv.name}/bias`);
  const scaled = new Float64Array(weight.data.length);
  for (let i = 0; i < scaled.length; i++)
    scaled[i] = weight.data[i]! * gain[Math.floor(i / inner)]!;
  constants.set(weightName, f32Tensor(weight.shape, scaled));
  constants.set(
    biasName,
    f32Tensor(
      [gain.length],
      gain.map((g, channel) => (bias?.data[channel] ?? 0) * g + shift[channel]!),
    ),
  );
  return { ...conv, inputs: [conv.inputs[0]!, weightName, biasName] };
}

/** The channels' statistics after the affine; undefined where none were or are known. */
function foldedStatistics(
  before: ChannelStatistics | undefined,
  { gain, shift, norm }: ChannelAffine,
): ChannelStatistics | undefined {
  if (norm !== undefined) {
    // The norm saw the raw output times the factors folded so far.
    const factor = (channel: number) => before?.alpha[channel] ?? 1;
    return {
      mean: Float32Array.from(norm.beta),
      std: Float32Array.from(norm.gamma, Math.abs),
      alpha: Float32Array.from(gain, (g, channel) => g * factor(channel)),
      variance: Float32Array.from(norm.variance, (v, channel) => {
        const scale = factor(channel);
        return scale === 0 ? 0 : v / (scale * scale);
      }),
    };
  }
  if (before === undefined) return undefined;
  return {
    mean: before.mean.map((m, channel) => m * gain[channel]! + shift[channel]!),
    std: before.std.map((s, channel) => s * Math.abs(gain[channel]!)),
    alpha: before.alpha.map((a, channel) => a * gain[channel]!),
    variance: before.variance,
  };
}
