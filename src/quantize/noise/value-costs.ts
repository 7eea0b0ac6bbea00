// SPDX-License-Identifier: Apache-2.0
// What noise costs at the network's output, carried backwards.
//
// Symbols: C_x[c] the cost of channel c of value x: the variance that noise of variance 1,
// independent from position to position, adds to the output where all positions of the channel
// have it, per position of the output and up to a factor that all channels share;
// W [O, I/group, KH, KW]; a[c] the share of values that a clamp lets pass.
//
//   1. C = 1 for every channel of an output.
//   2. Backwards through a clamp:         C_before[c] = a[c] C_after[c]
//      through a convolution:             C_in[i]  = sum over o of C_before[o] sum over taps of W_oi^2
//      through an average of n values:    C_in[c]  = C_out[c] / n, or C_out[c] for
//                                        noise that is the same at all positions
//      through a sum, a product, a curve: C_in[c]  = C_out[c]
//      through a move of elements:        C_in[c]  = sum over the elements e of channel c of
//                                        C_out[k] / n_k, where e lands in channel k of n_k elements
//   3. A value that several operators read adds their costs up.
//
// Rounding errors of different layers count as independent, so costs add; covariances are left
// out.
import type {
  ConcatNode,
  ConvNode,
  GemmNode,
  Graph,
  Node,
  PlainNode,
  ReduceMeanNode,
  Shape,
  TransposeNode,
} from '../../graph/graph.js';
import { elementCount, perChannel, stridesOf } from '../../graph/tensors.js';
import { constantOf, shapeOf, weightOf } from '../network/connections.js';
import { inputChannels } from '../network/input-channels.js';
import { weightPairs } from './weight-pairs.js';

/** Whether noise differs from position to position, so that averages take it away, or is the same everywhere. */
export type NoiseKind = 'independent' | 'coherent';

/**
 * What noise of each channel of each value costs at the network's output, where each channel costs
 * 1. Walks backwards. Every value of the graph has an entry; those that no output needs cost 0.
 *
 * @param active as for `noiseModel`; values that it leaves out count as passed entirely
 * @param noise `independent` from position to position, so that averages take it away, or the same everywhere
 */
export function valueCosts(
  graph: Graph,
  active: ReadonlyMap<string, Float64Array>,
  noise: NoiseKind = 'independent',
): Map<string, Float64Array> {
  const costs = new Map<string, Float64Array>();
  const costOf = (value: string): Float64Array =>
    costs.get(value) ?? new Float64Array(channelsOf(shapeOf(graph, value)));
  const add = (value: string, part: Float64Array): void => {
    costs.set(
      value,
      costOf(value).map((old, c) => old + part[c]!),
    );
  };
  for (const { name } of graph.outputs) add(name, costOf(name).fill(1));
  for (const node of [...graph.nodes].reverse()) {
    const output = node.outputs[0]!;
    const passed =
      'clamp' in node ? throughClamp(costOf(output), active.get(output)) : costOf(output);
    node.inputs.forEach((input, place) => {
      // Constants have no noise of this kind; the empty name is an absent input.
      if (input === '' || graph.constants.has(input)) return;
      add(input, backwards(graph, node, place, passed, noise));
    });
    // A value that nothing reads is rounded all the same.
    if (!costs.has(output)) costs.set(output, costOf(output));
  }
  for (const { name } of graph.inputs) costs.set(name, costOf(name));
  return costs;
}

/** Channels of a value; one without a channel axis counts as one channel, as in calibration. */
function channelsOf(shape: Shape): number {
  return shape[1] ?? 1;
}

/** Rule 2 for input `place` of a node, from the costs before its clamp. */
function backwards(
  graph: Graph,
  node: Node,
  place: number,
  cost: Float64Array,
  noise: NoiseKind,
): Float64Array {
  const from = shapeOf(graph, node.inputs[place]!);
  const to = shapeOf(graph, node.outputs[0]!);
  switch (node.op) {
    case 'Conv':
      return gather(graph, node, cost);
    case 'Gemm':
    case 'MatMul':
      return gatherDense(graph, node, from, cost);
    case 'BatchNorm':
      return cost.map((value, c) => value * normGain(graph, node, c, node.epsilon) ** 2);
    case 'Add':
    case 'Sub':
      return repeated(from, to, cost);
    case 'Mul':
    case 'Div':
      return repeated(from, to, scaledByConstant(graph, node, place, to, cost));
    case 'AveragePool':
      return averaged(cost, node.kernel[0] * node.kernel[1], noise);
    case 'GlobalAveragePool':
      return averaged(cost, elementCount(from.slice(2)), noise);
    case 'ReduceMean':
      return meaned(node, from, to, cost, noise);
    case 'Concat':
      return partOf(graph, node, place, from, cost);
    case 'Pad':
      return Float64Array.from(
        { length: channelsOf(from) },
        (_, c) => cost[c + (node.begin[1] ?? 0)]!,
      );
    case 'Reshape':
      return moved(from, to, cost, (element) => element);
    case 'Transpose':
      return moved(from, to, cost, permuted(node, from, to));
    case 'MaxPool':
    case 'Resize':
    case 'Clamp':
    case 'Softmax':
    case 'HardSigmoid':
    case 'HardSwish':
    case 'Sigmoid':
    case 'Gelu':
    case 'Identity':
      return cost.slice();
    default:
      return node satisfies never;
  }
}

function gather(graph: Graph, conv: ConvNode, cost: Float64Array): Float64Array {
  const { energy, inputs, outputs, perGroup } = weightPairs(graph, conv);
  const { shape } = weightOf(graph, conv);
  const sum = new Float64Array(inputs);
  for (let oc = 0; oc < outputs; oc++) {
    const { first } = inputChannels(conv, shape, oc);
    for (let i = 0; i < perGroup; i++) sum[first + i]! += energy[oc * perGroup + i]! * cost[oc]!;
  }
  return sum;
}

/** A dense layer of constant weights over the last axis, [..., K] -> [..., N]. */
function gatherDense(
  graph: Graph,
  node: GemmNode | PlainNode,
  from: Shape,
  cost: Float64Array,
): Float64Array {
  const { data, shape } = constantOf(graph, node, node.inputs[1]!);
  const [transposed, factor] = node.op === 'Gemm' ? [node.transB, node.alpha] : [false, 1];
  const [k = 1, n = 1] = transposed ? [shape[1], shape[0]] : shape.slice(-2);
  const rows = from.length === 2;
  const sum = new Float64Array(k);
  for (let i = 0; i < k; i++) {
    for (let o = 0; o < n; o++) {
      const weight = factor * data[transposed ? o * k + i : i * n + o]!;
      sum[i]! += weight ** 2 * (rows ? cost[o]! : 1);
    }
  }
  if (rows) return sum;
  // The channels are not what the layer sums over: each has the same weights.
  const total = sum.reduce((a, b) => a + b, 0);
  return Float64Array.from({ length: channelsOf(from) }, (_, c) => (cost[c] ?? 1) * total);
}

function normGain(graph: Graph, node: Node, c: number, epsilon: number): number {
  const [gamma, , , variance] = node.inputs
    .slice(1)
    .map((name) => constantOf(graph, node, name).data);
  return gamma![c]! / Math.sqrt(variance![c]! + epsilon);
}

/** An operand that is repeated over channels has the cost of all of them. */
function repeated(from: Shape, to: Shape, cost: Float64Array): Float64Array {
  const axis = 1 + from.length - to.length;
  const channels = axis < 0 ? 1 : (from[axis] ?? 1);
  const whole =
    channels === cost.length ? cost.slice() : Float64Array.of(cost.reduce((a, b) => a + b, 0));
  const own = channelsOf(from);
  if (own === whole.length) return whole;
  // The operand's own channel axis is another one of the output.
  const total = whole.reduce((a, b) => a + b, 0);
  return new Float64Array(own).fill(total / own);
}

/** Costs before a product with a constant of one factor for all or for each channel. */
function scaledByConstant(
  graph: Graph,
  node: Node,
  place: number,
  to: Shape,
  cost: Float64Array,
): Float64Array {
  const constant = graph.constants.get(node.inputs[1 - place]!);
  const factors = constant === undefined ? undefined : perChannel(constant, to);
  if (factors === undefined) return cost;
  return cost.map((value, c) => value * (node.op === 'Div' ? 1 / factors[c]! : factors[c]!) ** 2);
}

/** Independent noise shrinks where values are averaged. */
function averaged(cost: Float64Array, count: number, noise: NoiseKind): Float64Array {
  const share = noise === 'coherent' ? 1 : 1 / count;
  return cost.map((value) => value * share);
}

function meaned(
  node: ReduceMeanNode,
  from: Shape,
  to: Shape,
  cost: Float64Array,
  noise: NoiseKind,
): Float64Array {
  const count = elementCount(from.filter((_, axis) => node.axes.includes(axis)));
  const shares = averaged(cost, count, noise);
  const kept = from.map((size, axis) => (node.axes.includes(axis) ? 1 : size));
  const whole = node.keepDims ? shares : moved(kept, to, shares, (element) => element);
  const channels = channelsOf(from);
  return whole.length === channels ? whole : new Float64Array(channels).fill(whole[0]! / channels);
}

/** What one input of a concatenation has of the output's costs. */
function partOf(
  graph: Graph,
  { axis, inputs }: ConcatNode,
  place: number,
  from: Shape,
  cost: Float64Array,
): Float64Array {
  if (axis !== 1) return cost.slice();
  const sizeOf = (name: string): number =>
    (graph.shapes.get(name) ?? graph.constants.get(name)!.shape)[1]!;
  const first = inputs.slice(0, place).reduce((sum, name) => sum + sizeOf(name), 0);
  return cost.slice(first, first + channelsOf(from));
}

/** @param landing where element i of the input stands in the output */
function moved(
  from: Shape,
  to: Shape,
  cost: Float64Array,
  landing: (element: number) => number,
): Float64Array {
  const [own, other] = [channelsOf(from), channelsOf(to)];
  const [inner, outer] = [elementCount(from.slice(2)), elementCount(to.slice(2))];
  const positions = elementCount(to) / other;
  const sum = new Float64Array(own);
  const count = elementCount(from);
  // Channels that stay channels keep their costs to the last bit.
  if (own === other && inner === outer && landing(inner) === inner) return cost.slice();
  for (let element = 0; element < count; element++) {
    const channel = Math.floor(landing(element) / outer) % other;
    sum[Math.floor(element / inner) % own]! += cost[channel]! / positions;
  }
  return sum;
}

function permuted({ perm }: TransposeNode, from: Shape, to: Shape): (element: number) => number {
  const [own, other] = [stridesOf(from), stridesOf(to)];
  return (element) => {
    let [rest, landing] = [element, 0];
    own.forEach((stride, axis) => {
      const at = Math.floor(rest / stride);
      rest -= at * stride;
      landing += at * other[perm.indexOf(axis)]!;
    });
    return landing;
  };
}

/** Costs before a clamp, from those after it and the share of values that it lets pass, [C]. */
export function throughClamp(cost: Float64Array, active: Float64Array | undefined): Float64Array {
  return active === undefined ? cost : cost.map((value, c) => value * active[c]!);
}
