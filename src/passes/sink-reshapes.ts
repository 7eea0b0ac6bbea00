// SPDX-License-Identifier: Apache-2.0
import { isScalarClamp } from '../graph/clamps.js';
import { indexOf, namer, outputOf, rebuild } from '../graph/edit.js';
import type { Graph, Node, Shape, Tensor } from '../graph/graph.js';
import { elementCount, sameShape } from '../graph/tensors.js';
import type { Pass } from './pass.js';

/**
 * Moves reshapes towards the outputs, past operators that work element by element, and joins
 * those that meet. What stays between [1,C,1,1] layers is then nothing, and what stays at the end
 * is one reshape. Exact: no arithmetic changes.
 */
export const sinkReshapes: Pass = (graph) => {
  if (!graph.nodes.some((node) => node.op === 'Reshape')) return graph;
  return new Sinking(graph).run();
};

class Sinking {
  /** By value that need not exist: the value with the same elements under another shape. */
  private readonly sources = new Map<string, string>();
  /** Names of the reshapes that made these values. */
  private readonly names = new Map<string, string>();
  private readonly sourceShapes = new Map<string, Shape>();
  private readonly nodes: Node[] = [];
  private readonly constants: [string, Tensor][] = [];
  private readonly materialized = new Set<string>();
  private readonly fresh: (wanted: string) => string;
  private readonly shape: (value: string) => Shape;

  constructor(private readonly graph: Graph) {
    this.fresh = namer(graph);
    const index = indexOf(graph);
    this.shape = (value) => this.sourceShapes.get(value) ?? index.shape(value);
  }

  run(): Graph {
    for (const node of this.graph.nodes) {
      if (node.op === 'Reshape') {
        this.sources.set(outputOf(node), this.source(node.inputs[0]!));
        this.names.set(outputOf(node), node.name);
        continue;
      }
      const moved = this.sunk(node);
      if (moved === undefined) {
        this.nodes.push({ ...node, inputs: node.inputs.map((value) => this.materialize(value)) });
        continue;
      }
      const value = this.fresh(`${outputOf(node)}_sunk`);
      this.nodes.push({ ...moved, outputs: [value] });
      this.sources.set(outputOf(node), value);
      const through = node.inputs.find((input) => this.sources.has(input))!;
      this.sourceShapes.set(value, this.shape(this.source(through)));
    }
    for (const output of this.graph.outputs) this.materialize(output.name, true);
    return rebuild(this.graph, { nodes: this.nodes, constants: this.constants });
  }

  private source(value: string): string {
    return this.sources.get(value) ?? value;
  }

  /** A value of the right shape to read: the source itself where the shapes agree. */
  private materialize(value: string, underItsName = false): string {
    const source = this.sources.get(value);
    if (source === undefined) return value;
    const shape = this.shape(value);
    if (!underItsName && sameShape(shape, this.shape(source))) return source;
    if (!this.materialized.has(value)) {
      this.materialized.add(value);
      const name = this.names.get(value) ?? this.fresh(value);
      this.nodes.push({ op: 'Reshape', name, inputs: [source], outputs: [value], shape });
    }
    return value;
  }

  /** The node on its inputs' sources, where it does the same there. */
  private sunk(node: Node): Node | undefined {
    const [first, second] = node.inputs;
    if (!node.inputs.some((value) => this.sources.has(value))) return undefined;
    const source = this.source(first!);
    switch (node.op) {
      case 'Clamp':
        return isScalarClamp(node.clamp) || this.keepsChannels(first!, source)
          ? { ...node, inputs: [source] }
          : undefined;
      case 'Sigmoid':
      case 'Gelu':
      case 'HardSigmoid':
      case 'HardSwish':
      case 'Identity':
        return { ...node, inputs: [source] };
      case 'BatchNorm':
        return this.keepsChannels(first!, source)
          ? { ...node, inputs: [source, ...node.inputs.slice(1)] }
          : undefined;
      case 'Add':
      case 'Sub':
      case 'Mul':
      case 'Div':
        return this.sunkPair(node, first!, second!);
      case 'Conv':
      case 'Gemm':
      case 'AveragePool':
      case 'MaxPool':
      case 'GlobalAveragePool':
      case 'Concat':
      case 'Pad':
      case 'Reshape':
      case 'Resize':
      case 'Transpose':
      case 'Softmax':
      case 'ReduceMean':
      case 'MatMul':
        return undefined;
    }
  }

  private sunkPair(node: Node, a: string, b: string): Node | undefined {
    const [left, right] = [this.graph.constants.get(a), this.graph.constants.get(b)];
    if (left === undefined && right === undefined) {
      const [x, y] = [this.source(a), this.source(b)];
      const same =
        sameShape(this.shape(a), this.shape(b)) && sameShape(this.shape(x), this.shape(y));
      return same ? { ...node, inputs: [x, y] } : undefined;
    }
    const value = left === undefined ? a : b;
    const source = this.source(value);
    const constant = this.fitted(left === undefined ? b : a, value, this.shape(source));
    if (constant === undefined || node.op === 'Reshape') return undefined;
    return { ...node, inputs: left === undefined ? [source, constant] : [constant, source] };
  }

  /** A constant for the source's shape: one number, or as many as the value has elements. */
  private fitted(name: string, value: string, to: Shape): string | undefined {
    const constant = this.graph.constants.get(name)!;
    if (constant.data.length === 1 && constant.shape.length <= to.length) return name;
    const shape = this.shape(value);
    const whole =
      constant.data.length === elementCount(shape) && constant.shape.length <= shape.length;
    if (!whole) return undefined;
    const fitted = this.fresh(`${name}_fitted`);
    this.constants.push([fitted, { ...constant, shape: to }]);
    return fitted;
  }

  /** Whether both shapes have the same channels and nothing else: [1,C] and [1,C,1,1]. */
  private keepsChannels(value: string, source: string): boolean {
    const [from, to] = [this.shape(value), this.shape(source)];
    const channels = (shape: Shape) => (elementCount(shape) === shape[1] ? shape[1] : undefined);
    return channels(from) !== undefined && channels(from) === channels(to);
  }
}
