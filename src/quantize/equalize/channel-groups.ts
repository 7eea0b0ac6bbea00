// SPDX-License-Identifier: Apache-2.0
import type { ConvNode, Graph, Node } from '../../graph/graph.js';
import { connectionsOf, shapeOf } from '../network/connections.js';

/**
 * Values whose channels can be rescaled together without changing what the network computes: a
 * factor per channel goes into the weights of the convolutions that write them and, inverted, into
 * those that read them. Residual additions, pools and reshapes tie their inputs and outputs to one
 * group, so a whole residual trunk is one group with many writers and readers. A gate (squeeze and
 * excitation) keeps its scale; what it multiplies is tied to the product.
 */
export interface ChannelGroup {
  readonly channels: number;
  readonly values: readonly string[];
  /** Convolutions that write a value of the group. */
  readonly writers: readonly ConvNode[];
  /** Convolutions that read a value of the group. */
  readonly readers: readonly ConvNode[];
  /** All operators in or at the group that bound their output. */
  readonly clamped: readonly Node[];
}

/**
 * The groups of a graph, in the order of their first value. A value that is read or written by an
 * operator that is not positively homogeneous per channel, or that is the network's input or
 * output, keeps its scale, and with it its whole group.
 */
export function channelGroups(graph: Graph): ChannelGroup[] {
  const ties = new Ties();
  const frozen = new Set<string>();
  const connections = connectionsOf(graph);
  for (const { name } of [...graph.inputs, ...graph.outputs]) frozen.add(name);
  for (const node of graph.nodes) tie(graph, node, ties, frozen);
  const members = new Map<string, string[]>();
  for (const value of activationValues(graph)) {
    const root = ties.find(value);
    members.set(root, [...(members.get(root) ?? []), value]);
  }
  const groups: ChannelGroup[] = [];
  for (const values of members.values()) {
    if (values.some((value) => frozen.has(value))) continue;
    const writers = values.flatMap((value) => convolution(connections.producers.get(value)));
    const readers = values.flatMap((value) =>
      (connections.consumers.get(value) ?? []).flatMap((node) => convolution(node)),
    );
    if (writers.length === 0 || readers.length === 0) continue;
    const clamped = values.flatMap((value) => {
      const node = connections.producers.get(value);
      return node !== undefined && 'clamp' in node ? [node] : [];
    });
    groups.push({ channels: shapeOf(graph, values[0]!)[1]!, values, writers, readers, clamped });
  }
  return groups;
}

function activationValues(graph: Graph): string[] {
  return [...graph.inputs.map(({ name }) => name), ...graph.nodes.flatMap((node) => node.outputs)];
}

function convolution(node: Node | undefined): ConvNode[] {
  return node?.op === 'Conv' ? [node] : [];
}

/** Ties what must share its factors and freezes what must keep its scale. */
function tie(graph: Graph, node: Node, ties: Ties, frozen: Set<string>): void {
  if (node.op === 'Conv') return;
  const output = node.outputs[0]!;
  const gated = node.op === 'Mul' ? gatedOf(graph, node) : undefined;
  if (gated !== undefined) {
    for (const operand of node.inputs) if (operand !== gated) frozen.add(operand);
    ties.join(gated, output);
    return;
  }
  if (!scalesWithItsInputs(graph, node)) {
    for (const value of [...node.inputs, output]) frozen.add(value);
    return;
  }
  for (const operand of node.op === 'Add' ? node.inputs : node.inputs.slice(0, 1)) {
    ties.join(operand, output);
  }
}

/** The operand that a product scales by one factor for each of its channels; the other is the gate. */
function gatedOf(graph: Graph, { inputs }: Node): string | undefined {
  const isGate = (name: string): boolean => {
    const [, , height = 1, width = 1] = graph.shapes.get(name) ?? [];
    return height * width === 1;
  };
  const gated = inputs.filter((name) => graph.shapes.has(name) && !isGate(name));
  return inputs.length === 2 && gated.length === 1 ? gated[0] : undefined;
}

/**
 * Whether a factor on a channel of the inputs comes out as the same factor on that channel. A concatenation
 * joins the channels of several groups, a curve is bound to its scale, and convolutions are tied by
 * their weights.
 */
function scalesWithItsInputs(graph: Graph, node: Node): boolean {
  switch (node.op) {
    case 'Add':
      return !node.inputs.some((operand) => graph.constants.has(operand));
    case 'Pad':
      return node.value === 0;
    case 'Reshape':
      return keepsChannels(shapeOf(graph, node.inputs[0]!), node.shape);
    case 'Clamp':
    case 'AveragePool':
    case 'MaxPool':
    case 'GlobalAveragePool':
    case 'Resize':
      return true;
    case 'Concat':
    case 'HardSigmoid':
    case 'HardSwish':
    case 'Sigmoid':
    case 'Gelu':
    case 'Softmax':
    case 'Mul':
    case 'Identity':
    case 'Conv':
    case 'BatchNorm':
    case 'Gemm':
    case 'MatMul':
    case 'Sub':
    case 'Div':
    case 'ReduceMean':
    case 'Transpose':
      return false;
    default:
      return node satisfies never;
  }
}

/** [1, C, 1, 1] <-> [1, C] and the like: channels stay channels. */
function keepsChannels(from: readonly number[], to: readonly number[]): boolean {
  return from[1] === to[1] && from[0] === to[0];
}

class Ties {
  readonly #parent = new Map<string, string>();

  find(value: string): string {
    const above = this.#parent.get(value);
    if (above === undefined || above === value) return value;
    const root = this.find(above);
    this.#parent.set(value, root);
    return root;
  }

  join(a: string, b: string): void {
    this.#parent.set(this.find(b), this.find(a));
  }
}
