// SPDX-License-Identifier: Apache-2.0
// What an operator's import function sees of the model around its node.
import { ModelError } from '../../errors.js';
import type { DType, Node, Shape, Tensor } from '../../graph/graph.js';
import type { OnnxDType, OnnxNode, OnnxTensor } from '../file/model.js';
import { Attributes } from './attributes.js';
import { Unsupported, nameOf } from './problems.js';

/** The part of an import that grows from node to node. */
export interface Imported {
  readonly constants: Map<string, Tensor>;
  /** Shapes of inputs and of values that nodes compute. */
  readonly shapes: Map<string, Shape>;
  /** Names of nodes and of values: each unique among its kind. */
  readonly nodeNames: Set<string>;
  readonly valueNames: Set<string>;
}

/** Turns one ONNX node into graph nodes (mostly one). */
export type ImportOp = (context: NodeContext) => Node | readonly Node[];

/** Computes a node whose inputs are all constant; undefined entries are absent inputs. */
export type Evaluate = (
  inputs: readonly (Tensor | undefined)[],
  attributes: Attributes,
  context: NodeContext,
) => Tensor;

export class NodeContext {
  readonly attributes: Attributes;
  /** Name of the graph node, unique in the graph. */
  readonly name: string;

  constructor(
    readonly node: OnnxNode,
    readonly opset: number,
    private readonly imported: Imported,
  ) {
    this.attributes = new Attributes(node);
    this.name = fresh(nameOf(node), imported.nodeNames);
  }

  get output(): string {
    return this.node.outputs[0]!;
  }

  /** Name, inputs and outputs of a graph node that stands for the whole ONNX node. */
  base(inputs: readonly string[] = this.node.inputs): {
    name: string;
    inputs: readonly string[];
    outputs: readonly string[];
  } {
    return { name: this.name, inputs, outputs: [this.output] };
  }

  /** The i-th input's value name; '' when it is absent. */
  input(i: number): string {
    return this.node.inputs[i] ?? '';
  }

  /** The i-th input's shape. */
  shape(i: number): Shape {
    const name = this.input(i);
    const shape = this.imported.shapes.get(name) ?? this.imported.constants.get(name)?.shape;
    if (shape === undefined) {
      throw new ModelError(
        'missing-weight',
        `node "${this.name}"`,
        `input ${i} ("${name}") is neither computed nor stored in the file; export it with weights`,
      );
    }
    return shape;
  }

  /** The i-th input if it is a constant. */
  constant(i: number): Tensor | undefined {
    return this.imported.constants.get(this.input(i));
  }

  /**
   * The i-th input, which the operator needs to be stored in the file.
   *
   * @throws ModelError `missing-weight`
   */
  weight(i: number, what: string): Tensor {
    const tensor = this.constant(i);
    if (tensor !== undefined) return tensor;
    throw new ModelError(
      'missing-weight',
      `node "${this.name}"`,
      `${what} "${this.input(i)}" has no data in the file; export the model with its weights`,
    );
  }

  /** The integers of the i-th input, which must be constant; undefined when it is absent. */
  integers(i: number, what: string): readonly number[] | undefined {
    if (this.input(i) === '') return undefined;
    const tensor = this.constant(i);
    if (tensor === undefined) throw new Unsupported(`${what} that is computed at run time`);
    return Array.from(tensor.data);
  }

  /** The single number of the i-th input, which must be constant; undefined when it is absent. */
  scalar(i: number, what: string): number | undefined {
    const values = this.integers(i, what);
    if (values === undefined) return undefined;
    if (values.length !== 1) throw new Unsupported(`${what} of ${values.length} values`);
    return values[0];
  }

  /** Adds a constant and returns its name, which is `wanted` or close to it. */
  addConstant(wanted: string, tensor: Tensor): string {
    const name = fresh(wanted, this.imported.valueNames);
    this.imported.constants.set(name, tensor);
    return name;
  }

  /** A name that neither a node nor a value has, `wanted` or close to it. */
  fresh(wanted: string): string {
    const { nodeNames, valueNames } = this.imported;
    const name = fresh(wanted, new Set([...nodeNames, ...valueNames]));
    nodeNames.add(name);
    valueNames.add(name);
    return name;
  }

  /** Axes counted from the front, each once, in order. */
  axes(axes: readonly number[], rank: number): number[] {
    return axes.map((axis) => this.axis(axis, rank)).sort((a, b) => a - b);
  }

  /** An axis counted from the front. */
  axis(axis: number, rank: number): number {
    const front = axis < 0 ? axis + rank : axis;
    if (front < 0 || front >= rank)
      throw new Unsupported(`axis ${axis} of a tensor of rank ${rank}`);
    return front;
  }

  /** Refuses outputs beyond the first that anything in the file could read. */
  onlyFirstOutput(): void {
    const extra = this.node.outputs.slice(1).find((name) => name !== '');
    if (extra !== undefined) throw new Unsupported(`second output "${extra}"`);
  }
}

/** A name nobody has yet, `wanted` or close to it; it is taken from then on. */
function fresh(wanted: string, taken: Set<string>): string {
  let name = wanted;
  for (let i = 2; taken.has(name); i++) name = `${wanted}_${i}`;
  taken.add(name);
  return name;
}

/**
 * A file's tensor as the graph holds it: float16 kinds widened to f32, the less usual integers to
 * the next wider one (all exact).
 */
export function toTensor(tensor: OnnxTensor): Tensor {
  const dtype = graphDType(tensor.dtype);
  const { shape, data } = tensor;
  if (data instanceof Uint32Array) return { dtype, shape, data: Float64Array.from(data) };
  if (data instanceof Uint16Array) return { dtype, shape, data: Int32Array.from(data) };
  return { dtype, shape, data };
}

/** The graph's element type for one of ONNX's. */
export function graphDType(dtype: OnnxDType): DType {
  switch (dtype) {
    case 'f16':
    case 'bf16':
      return 'f32';
    case 'u64':
    case 'u32':
      return 's64';
    case 'u16':
      return 's32';
    case 's4':
      return 's8';
    case 'u4':
      return 'u8';
    case 'f32':
    case 'f64':
    case 's64':
    case 's32':
    case 's16':
    case 's8':
    case 'u8':
    case 'bool':
      return dtype;
  }
}
