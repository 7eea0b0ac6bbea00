// SPDX-License-Identifier: Apache-2.0
import { isScalarClamp } from '../graph/clamps.js';
import { indexOf, namer, outputOf, rebuild } from '../graph/edit.js';
import type { Graph, Node, Shape, Tensor } from '../graph/graph.js';
import { elementCount, transposeTensor } from '../graph/tensors.js';
import type { Pass } from './pass.js';

/**
 * Moves transposes towards the outputs, past every operator that does not care about the order of
 * axes, until they meet their inverse and vanish. Exports from NHWC frameworks are full of them.
 * A transpose that only moves axes of size 1 becomes a reshape. Exact: no arithmetic changes.
 */
export const sinkTransposes: Pass = (graph) => {
  if (!graph.nodes.some((node) => node.op === 'Transpose')) return graph;
  return new Sinking(graph).run();
};

/** A value that is `source` transposed by `perm`, and need not exist itself. */
interface View {
  readonly source: string;
  readonly perm: readonly number[];
}

class Sinking {
  private readonly views = new Map<string, View>();
  /** Names of the transposes that made these values. */
  private readonly names = new Map<string, string>();
  private readonly nodes: Node[] = [];
  private readonly constants: [string, Tensor][] = [];
  private readonly materialized = new Set<string>();
  private readonly fresh: (wanted: string) => string;
  private readonly shape: (value: string) => Shape;

  constructor(private readonly graph: Graph) {
    this.fresh = namer(graph);
    const index = indexOf(graph);
    this.shape = (value) => index.shape(value);
  }

  run(): Graph {
    for (const node of this.graph.nodes) {
      if (node.op === 'Transpose') {
        this.views.set(outputOf(node), this.composed(node.inputs[0]!, node.perm));
        this.names.set(outputOf(node), node.name);
        continue;
      }
      const moved = this.sunk(node);
      if (moved !== undefined) {
        const source = this.fresh(`${outputOf(node)}_sunk`);
        this.nodes.push({ ...moved.node, outputs: [source] });
        this.views.set(outputOf(node), { source, perm: moved.perm });
      } else {
        for (const value of node.inputs) this.materialize(value);
        this.nodes.push(node);
      }
    }
    for (const output of this.graph.outputs) this.materialize(output.name);
    return rebuild(this.graph, { nodes: this.nodes, constants: this.constants });
  }

  /** What a transpose of a (perhaps already transposed) value is. */
  private composed(value: string, perm: readonly number[]): View {
    const inner = this.views.get(value);
    if (inner === undefined) return { source: value, perm };
    return { source: inner.source, perm: perm.map((axis) => inner.perm[axis]!) };
  }

  /** Makes the value exist under its own name, if it is only a view so far. */
  private materialize(value: string): void {
    const view = this.views.get(value);
    if (view === undefined || this.materialized.has(value)) return;
    this.materialized.add(value);
    const name = this.names.get(value) ?? this.fresh(value);
    const base = { name, inputs: [view.source], outputs: [value] };
    const inOrder = view.perm.every((axis, i) => axis === i);
    const shape = this.shape(value);
    if (inOrder) this.nodes.push({ ...base, op: 'Identity' });
    else if (keepsOrder(shape, view.perm)) this.nodes.push({ ...base, op: 'Reshape', shape });
    else this.nodes.push({ ...base, op: 'Transpose', perm: view.perm });
  }

  /** The node in its inputs' source layout, and the permutation that restores its output. */
  private sunk(node: Node): { node: Node; perm: readonly number[] } | undefined {
    const view = node.inputs.map((name) => this.views.get(name)).find((v) => v !== undefined);
    if (view === undefined) return undefined;
    const { perm } = view;
    const inputs = [view.source];
    switch (node.op) {
      case 'Clamp':
        return isScalarClamp(node.clamp) ? { node: { ...node, inputs }, perm } : undefined;
      case 'Sigmoid':
      case 'Gelu':
      case 'HardSigmoid':
      case 'HardSwish':
      case 'Identity':
        return { node: { ...node, inputs }, perm };
      case 'Softmax':
        return { node: { ...node, inputs, axis: perm[node.axis]! }, perm };
      case 'Pad': {
        const moved = inverse(perm);
        const begin = moved.map((axis) => node.begin[axis]!);
        return {
          node: { ...node, inputs, begin, end: moved.map((axis) => node.end[axis]!) },
          perm,
        };
      }
      case 'ReduceMean':
        return this.sunkMean(node, view);
      case 'Add':
      case 'Sub':
      case 'Mul':
      case 'Div': {
        const all = this.inSourceLayout(node, perm);
        return all && { node: { ...node, inputs: all }, perm };
      }
      case 'Concat': {
        const all = this.inSourceLayout(node, perm);
        return all && { node: { ...node, inputs: all, axis: perm[node.axis]! }, perm };
      }
      case 'Reshape': {
        // Only the order of elements counts; a transpose that keeps it can be skipped.
        if (!keepsOrder(this.shape(node.inputs[0]!), perm)) return undefined;
        return { node: { ...node, inputs }, perm: [...node.shape.keys()] };
      }
      case 'Conv':
      case 'BatchNorm':
      case 'Gemm':
      case 'AveragePool':
      case 'MaxPool':
      case 'GlobalAveragePool':
      case 'Resize':
      case 'Transpose':
      case 'MatMul':
        return undefined;
    }
  }

  private sunkMean(node: Extract<Node, { op: 'ReduceMean' }>, { source, perm }: View) {
    const axes = node.axes.map((axis) => perm[axis]!).sort((a, b) => a - b);
    const moved = { ...node, inputs: [source], axes };
    if (node.keepDims) return { node: moved, perm };
    // The axes that are left, renumbered: those of the source in its order, and as they were.
    const left = [...perm.keys()].filter((axis) => !axes.includes(axis));
    const wanted = perm.filter((_, axis) => !node.axes.includes(axis));
    return { node: moved, perm: wanted.map((axis) => left.indexOf(axis)) };
  }

  /**
   * The inputs of an elementwise node or a concatenation in the layout before `perm`: views of the
   * same permutation as they are, constants transposed back, anything else behind the inverse
   * transpose; undefined when ranks differ.
   */
  private inSourceLayout(node: Node, perm: readonly number[]): string[] | undefined {
    const rank = perm.length;
    const fits = node.inputs.every(
      (name) => this.graph.constants.has(name) || this.shape(name).length === rank,
    );
    if (!fits || node.inputs.some((name) => this.shape(name).length > rank)) return undefined;
    const back = inverse(perm);
    return node.inputs.map((name) => {
      const constant = this.graph.constants.get(name);
      if (constant !== undefined) return this.transposedConstant(name, constant, back);
      const view = this.composed(name, back);
      if (view.perm.every((axis, i) => axis === i)) return view.source;
      const value = this.fresh(`${name}_moved`);
      const base = { name: value, inputs: [view.source], outputs: [value] };
      const shape = back.map((axis) => this.shape(name)[axis]!);
      this.nodes.push(
        keepsOrder(shape, view.perm)
          ? { ...base, op: 'Reshape', shape }
          : { ...base, op: 'Transpose', perm: view.perm },
      );
      return value;
    });
  }

  private transposedConstant(name: string, tensor: Tensor, perm: readonly number[]): string {
    if (elementCount(tensor.shape) === 1) return name;
    const ones = new Array<number>(perm.length - tensor.shape.length).fill(1);
    const full = { ...tensor, shape: [...ones, ...tensor.shape] };
    const moved = this.fresh(`${name}_moved`);
    this.constants.push([moved, transposeTensor(full, perm)]);
    return moved;
  }
}

function inverse(perm: readonly number[]): number[] {
  return [...perm.keys()].map((axis) => perm.indexOf(axis));
}

/** Whether a transpose to `shape` by `perm` leaves the elements in order (moves only ones). */
function keepsOrder(shape: Shape, perm: readonly number[]): boolean {
  const moving = perm.filter((_, i) => shape[i] !== 1);
  return moving.every((axis, i) => i === 0 || axis > moving[i - 1]!);
}
