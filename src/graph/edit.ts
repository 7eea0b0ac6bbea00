// SPDX-License-Identifier: Apache-2.0
// How a pass changes a graph: it says which nodes become what, and `rebuild` puts the rest in
// order: topological order, dead nodes, unused constants, and the shapes anew.
import { ModelError } from '../errors.js';
import type { Graph, Node, Shape, Tensor } from './graph.js';
import { inferShape } from './shapes.js';

/** Who makes and who uses each value. */
export interface GraphIndex {
  /** The node that makes a value; undefined for inputs and constants. */
  producer(value: string): Node | undefined;
  consumers(value: string): readonly Node[];
  /** The only node that uses a value; undefined if there are others or it is a graph output. */
  soleConsumer(value: string): Node | undefined;
  /** The node that makes `value`, if `value` is used once and is no graph output. */
  soleProducer(value: string): Node | undefined;
  isOutput(value: string): boolean;
  /** Shape of a value or a constant. */
  shape(value: string): Shape;
}

export function indexOf(graph: Graph): GraphIndex {
  const producers = new Map<string, Node>();
  const consumers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const value of node.outputs) producers.set(value, node);
    for (const value of new Set(node.inputs)) {
      const users = consumers.get(value);
      if (users) users.push(node);
      else consumers.set(value, [node]);
    }
  }
  const outputs = new Set(graph.outputs.map((output) => output.name));
  const isOutput = (value: string) => outputs.has(value);
  const soleConsumer = (value: string) => {
    const users = consumers.get(value) ?? [];
    return users.length === 1 && !isOutput(value) ? users[0] : undefined;
  };
  return {
    producer: (value) => producers.get(value),
    consumers: (value) => consumers.get(value) ?? [],
    soleConsumer,
    soleProducer: (value) => (soleConsumer(value) ? producers.get(value) : undefined),
    isOutput,
    shape: (value) => shapeIn(graph, value),
  };
}

/** Shape of a value or a constant of the graph. */
export function shapeIn(graph: Graph, value: string): Shape {
  const shape = graph.shapes.get(value) ?? graph.constants.get(value)?.shape;
  if (shape === undefined)
    throw new ModelError('missing-value', `value "${value}"`, 'is not there');
  return shape;
}

/** The one output that every supported operator has. */
export function outputOf(node: Node): string {
  return node.outputs[0]!;
}

/** What {@link rebuild} is to change; what is left out stays. */
export interface GraphChanges {
  readonly nodes?: readonly Node[];
  /** Added to the constants; those that nobody uses are dropped. */
  readonly constants?: Iterable<readonly [string, Tensor]>;
  readonly inputs?: Graph['inputs'];
  readonly metadata?: Graph['metadata'];
  readonly normalizations?: Graph['normalizations'];
}

/**
 * The graph with the changes: nodes in topological order (in the given order where it allows it),
 * without nodes and constants that no output needs, with shapes inferred again.
 *
 * @throws ModelError `missing-value`, `cycle`, `bad-shape`; an output must keep its shape
 */
export function rebuild(graph: Graph, changes: GraphChanges): Graph {
  const inputs = changes.inputs ?? graph.inputs;
  const outputs = graph.outputs.map((output) => output.name);
  const constants = new Map([...graph.constants, ...(changes.constants ?? [])]);
  const known = new Set([...inputs.map((input) => input.name), ...constants.keys()]);
  const nodes = sortLive(changes.nodes ?? graph.nodes, outputs, known);
  const used = new Set([...nodes.flatMap((node) => node.inputs), ...outputs]);
  const live = new Map([...constants].filter(([name]) => used.has(name)));
  const names = new Set(nodes.map((node) => node.name));
  return {
    ...graph,
    inputs,
    nodes,
    constants: live,
    shapes: inferShapes(inputs, nodes, live, graph.outputs),
    normalizations: new Map(
      [...(changes.normalizations ?? graph.normalizations)].filter(([name]) => names.has(name)),
    ),
    metadata: changes.metadata ?? graph.metadata,
  };
}

/** Nodes that the outputs need, producers before consumers. */
function sortLive(
  nodes: readonly Node[],
  outputs: readonly string[],
  known: ReadonlySet<string>,
): Node[] {
  const producers = new Map(nodes.flatMap((node) => node.outputs.map((value) => [value, node])));
  const needed = new Set<Node>();
  const stack = [...outputs];
  while (stack.length > 0) {
    const value = stack.pop()!;
    const node = producers.get(value);
    if (node === undefined) {
      if (!known.has(value)) throw missing(value);
    } else if (!needed.has(node)) {
      needed.add(node);
      stack.push(...node.inputs.filter((name) => name !== ''));
    }
  }
  return topological(
    nodes.filter((node) => needed.has(node)),
    producers,
  );
}

function topological(nodes: readonly Node[], producers: ReadonlyMap<string, Node>): Node[] {
  const waiting = new Map<Node, number>();
  const users = new Map<Node, Node[]>();
  for (const node of nodes) {
    const before = new Set(
      node.inputs.map((name) => producers.get(name)).filter((n) => n !== undefined),
    );
    waiting.set(node, before.size);
    for (const producer of before) {
      const list = users.get(producer);
      if (list) list.push(node);
      else users.set(producer, [node]);
    }
  }
  const order = new Map(nodes.map((node, i) => [node, i]));
  const ready = nodes.filter((node) => waiting.get(node) === 0);
  const sorted: Node[] = [];
  while (ready.length > 0) {
    // The given order is kept where it can be: dumps and reports stay stable over passes.
    const node = ready.splice(earliest(ready, order), 1)[0]!;
    sorted.push(node);
    for (const user of users.get(node) ?? []) {
      const left = waiting.get(user)! - 1;
      waiting.set(user, left);
      if (left === 0) ready.push(user);
    }
  }
  if (sorted.length < nodes.length) {
    const stuck = nodes.find((node) => !sorted.includes(node));
    throw new ModelError('cycle', `node "${stuck?.name ?? ''}"`, 'its input depends on its output');
  }
  return sorted;
}

function earliest(ready: readonly Node[], order: ReadonlyMap<Node, number>): number {
  let best = 0;
  for (let i = 1; i < ready.length; i++) {
    if (order.get(ready[i]!)! < order.get(ready[best]!)!) best = i;
  }
  return best;
}

function inferShapes(
  inputs: Graph['inputs'],
  nodes: readonly Node[],
  constants: Graph['constants'],
  outputs: Graph['outputs'],
): Map<string, Shape> {
  const shapes = new Map(inputs.map((input) => [input.name, input.shape]));
  const shapeOf = (value: string): Shape => {
    const shape = shapes.get(value) ?? constants.get(value)?.shape;
    if (shape === undefined) throw missing(value);
    return shape;
  };
  for (const node of nodes) shapes.set(outputOf(node), inferShape(node, shapeOf));
  for (const output of outputs) {
    const shape = shapeOf(output.name);
    if (shape.join() !== output.shape.join()) {
      throw new ModelError(
        'bad-shape',
        `output "${output.name}"`,
        `expected [${output.shape.join()}], got [${shape.join()}]`,
      );
    }
  }
  return shapes;
}

function missing(value: string): ModelError {
  return new ModelError(
    'missing-value',
    `value "${value}"`,
    'is used but neither computed nor stored; export the model again',
  );
}

/**
 * Replaces nodes: by another node, by several, or (undefined) by nothing. Nodes that are not
 * named stay.
 */
export function substitute(
  graph: Graph,
  changes: ReadonlyMap<Node, Node | readonly Node[] | undefined>,
  constants: Iterable<readonly [string, Tensor]> = [],
): Graph {
  if (changes.size === 0) return graph;
  const nodes = graph.nodes.flatMap((node) => {
    if (!changes.has(node)) return node;
    return changes.get(node) ?? [];
  });
  return rebuild(graph, { nodes, constants });
}

/**
 * Removes nodes that pass their first input on unchanged: consumers read the input instead, and
 * where the node made a graph output, the producer now makes it under that name. A node between a
 * graph input (or a constant) and a graph output, or between two outputs, stays.
 */
export function bypass(graph: Graph, isIdle: (node: Node) => boolean): Graph {
  const outputs = new Set(graph.outputs.map((output) => output.name));
  const produced = new Set(graph.nodes.flatMap((node) => node.outputs));
  const renamed = new Map<string, string>();
  const resolve = (value: string): string => {
    let name = value;
    for (let next = renamed.get(name); next !== undefined; next = renamed.get(name)) name = next;
    return name;
  };
  const removed = new Set<Node>();
  for (const node of graph.nodes) {
    if (!isIdle(node)) continue;
    const from = resolve(node.inputs[0]!);
    const to = outputOf(node);
    if (!outputs.has(to)) renamed.set(to, from);
    else if (produced.has(from) && !outputs.has(from)) renamed.set(from, to);
    else continue;
    removed.add(node);
  }
  if (removed.size === 0) return graph;
  const nodes = graph.nodes
    .filter((node) => !removed.has(node))
    .map((node) => ({
      ...node,
      inputs: node.inputs.map(resolve),
      outputs: node.outputs.map(resolve),
    }));
  return rebuild(graph, { nodes });
}

/** Gives out names that are not in the graph yet. */
export function namer(graph: Graph): (wanted: string) => string {
  const taken = new Set([
    ...graph.constants.keys(),
    ...graph.shapes.keys(),
    ...graph.nodes.map((node) => node.name),
  ]);
  return (wanted) => {
    let name = wanted;
    for (let i = 2; taken.has(name); i++) name = `${wanted}_${i}`;
    taken.add(name);
    return name;
  };
}
