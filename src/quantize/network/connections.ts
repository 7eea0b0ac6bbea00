// SPDX-License-Identifier: Apache-2.0
import { ModelError } from '../../errors.js';
import type { ConvNode, Graph, Node, Tensor } from '../../graph/graph.js';

/** Who writes and who reads each value. */
export interface Connections {
  readonly producers: ReadonlyMap<string, Node>;
  readonly consumers: ReadonlyMap<string, readonly Node[]>;
}

/** Writers and readers of all values of the graph. */
export function connectionsOf(graph: Graph): Connections {
  const producers = new Map<string, Node>();
  const consumers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const output of node.outputs) producers.set(output, node);
    for (const input of node.inputs) {
      const readers = consumers.get(input);
      if (readers === undefined) consumers.set(input, [node]);
      else readers.push(node);
    }
  }
  return { producers, consumers };
}

/** All convolutions, in the order of the graph. */
export function convolutionsOf(graph: Graph): ConvNode[] {
  return graph.nodes.filter((node) => node.op === 'Conv');
}

/** A float32 constant. @throws ModelError naming the node where it is missing or of another type */
export function constantOf(
  graph: Graph,
  node: Node,
  name: string,
): Tensor & {
  readonly data: Float32Array;
} {
  const tensor = graph.constants.get(name);
  if (tensor?.data instanceof Float32Array) return { ...tensor, data: tensor.data };
  throw new ModelError(
    'not-constant',
    `node "${node.name}"`,
    `expected a float32 constant "${name}"; only layers with constant weights can be quantized`,
  );
}

/** The weights of a convolution, [O, C/group, KH, KW]. @throws ModelError as `constantOf` */
export function weightOf(graph: Graph, conv: ConvNode): Tensor & { readonly data: Float32Array } {
  return constantOf(graph, conv, conv.inputs[1]!);
}

/** The bias per output channel; zeros where the layer has none. */
export function biasOf(graph: Graph, conv: ConvNode): Float32Array {
  const name = conv.inputs[2] ?? '';
  if (name === '') return new Float32Array(weightOf(graph, conv).shape[0]!);
  return constantOf(graph, conv, name).data;
}

/** The shape of a value. @throws ModelError `no-shape` naming it */
export function shapeOf(graph: Graph, value: string): readonly number[] {
  const shape = graph.shapes.get(value);
  if (shape !== undefined) return shape;
  throw new ModelError('no-shape', `value "${value}"`, 'expected a known shape, got none');
}

/** Parameters of some convolutions, replaced; absent fields stay as they are. */
export interface ConvChange {
  readonly weight?: Float32Array;
  readonly bias?: Float32Array;
  readonly clamp?: ConvNode['clamp'];
}

/**
 * The graph with the parameters of the named convolutions replaced. Constants get names of their
 * own, so a constant that two layers share is not changed for both.
 */
export function withParameters(graph: Graph, changes: ReadonlyMap<string, ConvChange>): Graph {
  const constants = new Map(graph.constants);
  const nodes = graph.nodes.map((node) => {
    const change = changes.get(node.name);
    if (change === undefined || node.op !== 'Conv') return node;
    const inputs = [...node.inputs];
    if (change.weight !== undefined) {
      inputs[1] = `${node.name}/weight`;
      const { shape } = weightOf(graph, node);
      constants.set(inputs[1], { dtype: 'f32', shape, data: change.weight });
    }
    if (change.bias !== undefined) {
      inputs[2] = `${node.name}/bias`;
      const shape = [change.bias.length];
      constants.set(inputs[2], { dtype: 'f32', shape, data: change.bias });
    }
    const clamp = change.clamp ?? node.clamp;
    return { ...node, inputs, ...(clamp === undefined ? {} : { clamp }) };
  });
  return { ...graph, nodes, constants };
}
