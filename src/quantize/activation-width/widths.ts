// SPDX-License-Identifier: Apache-2.0
// Layers on 16-bit activations among others on 8 bits (TFLite's 16x8 and int8 kernels): which
// nodes follow which layer, and where codes change their width.
import type { Graph, Node } from '../../graph/graph.js';
import type { QuantGraph, QuantNode, QuantValue } from '../../graph/quant-graph.js';
import type { TargetConstraints } from '../../targets/target.js';
import { biasLimit } from '../codes/bias.js';
import type { Quantization } from '../codes/scales.js';

/**
 * 16-bit codes are this much finer than the 8-bit ones that they stand for. Symmetric around zero
 * they then reach twice as far as 8 bits in any position, which is room for what the search for
 * an 8-bit range clipped.
 */
export const finer = 64;

/** Operators that have a 16-bit form and take it where all their inputs have 16 bits. */
const followers: ReadonlySet<string> = new Set([
  ...['Add', 'Mul', 'AveragePool', 'GlobalAveragePool', 'MaxPool'],
  ...['Reshape', 'Resize', 'Pad', 'Concat'],
]);

/** The 16-bit quantization in the place of one of 8 bits. */
export function widened<Value extends Quantization>(value: Value): Value {
  return { ...value, dtype: 's16', bits: 16, scale: value.scale / finer, zeroPoint: 0 };
}

/** Whether a target has layers on 16-bit activations besides those on 8 bits. */
export function offersWide({ activations, scales }: TargetConstraints): boolean {
  return activations[0] !== 's16' && activations.includes('s16') && scales === 'real';
}

/** What of a node counts here; `inputs` may hold constants. */
interface Wired {
  readonly op: string;
  readonly name: string;
  readonly inputs: readonly string[];
}

/** A node with its inputs, or the change of width of one of its inputs before it. */
type Piece<One> =
  | { readonly node: One; readonly inputs: readonly string[] }
  | { readonly from: string; readonly to: string; readonly wide: boolean };

interface Widths<One> {
  readonly pieces: readonly Piece<One>[];
  /** Values of 16 bits. */
  readonly wide: ReadonlySet<string>;
}

/**
 * Goes through the nodes in order. A value has the width of the node that writes it (the network's
 * input: 8 bits); where a node of the other width reads it, a copy of that width comes before.
 */
function widthsOf<One extends Wired>(
  nodes: readonly One[],
  input: string,
  outputOf: (node: One) => string,
  layers: ReadonlySet<string>,
): Widths<One> {
  const known = new Set([input]);
  const wide = new Set<string>();
  const pieces: Piece<One>[] = [];
  for (const node of nodes) {
    const values = node.inputs.filter((name) => known.has(name));
    const isWide =
      node.op === 'Conv'
        ? layers.has(node.name)
        : followers.has(node.op) && values.length > 0 && values.every((name) => wide.has(name));
    const inputs = node.inputs.map((from) => {
      if (!known.has(from) || wide.has(from) === isWide) return from;
      const to = `${from}/${isWide ? 16 : 8}-bit`;
      if (!known.has(to)) pieces.push({ from, to, wide: isWide });
      known.add(to);
      if (isWide) wide.add(to);
      return to;
    });
    pieces.push({ node, inputs });
    known.add(outputOf(node));
    if (isWide) wide.add(outputOf(node));
  }
  return { pieces, wide };
}

/**
 * The float graph with an Identity wherever codes will change their width.
 *
 * @param layers convolutions on 16-bit activations, input and output, by name
 * @returns it and the values that are to have 16 bits
 */
export function widenGraph(
  graph: Graph,
  layers: ReadonlySet<string>,
): { readonly graph: Graph; readonly wide: ReadonlySet<string> } {
  const first = (node: Node): string => node.outputs[0]!;
  const { pieces, wide } = widthsOf(graph.nodes, graph.inputs[0]!.name, first, layers);
  const shapes = new Map(graph.shapes);
  const nodes = pieces.map((piece): Node => {
    if ('node' in piece) return { ...piece.node, inputs: piece.inputs };
    const { from, to } = piece;
    shapes.set(to, shapes.get(from)!);
    return { op: 'Identity', name: to, inputs: [from], outputs: [to] };
  });
  return { graph: { ...graph, nodes, shapes }, wide };
}

/**
 * The same of an 8-bit quantized graph, whose weights stay: biases follow their scale.
 *
 * @param layers as for `widenGraph`; each of them `canBeWide`
 */
export function widenQuantGraph(graph: QuantGraph, layers: ReadonlySet<string>): QuantGraph {
  const output = (node: QuantNode): string => node.output;
  const { pieces, wide } = widthsOf(graph.nodes, graph.input, output, layers);
  const values = new Map<string, QuantValue>();
  for (const [name, value] of graph.values) {
    values.set(name, wide.has(name) ? widened(value) : value);
  }
  const nodes = pieces.map((piece): QuantNode => {
    if (!('node' in piece)) {
      const { from, to } = piece;
      const value = { ...graph.values.get(from)!, name: to };
      values.set(to, piece.wide ? widened(value) : value);
      return { op: 'Requantize', name: to, inputs: [from], output: to };
    }
    const { node, inputs } = piece;
    if (node.op !== 'Conv' || !layers.has(node.name)) return { ...node, inputs };
    return { ...node, inputs, bias: node.bias?.map((code) => code * finer) };
  });
  return { ...graph, nodes, values };
}

/** Whether a layer's biases have room for the finer steps of 16-bit inputs. */
export function canBeWide(node: QuantNode): boolean {
  return (
    node.op === 'Conv' && (node.bias?.every((code) => Math.abs(code) * finer <= biasLimit) ?? true)
  );
}
