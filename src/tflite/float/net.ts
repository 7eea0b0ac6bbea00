// SPDX-License-Identifier: Apache-2.0
// What the operators of a float .tflite file see of the graph that grows around them. The file is NHWC and
// graphs are NCHW: what needs an image gets it behind a transpose, which passes cancel.
import { ModelError } from '../../errors.js';
import type { Clamp, Node, Shape, Tensor } from '../../graph/graph.js';
import { Problems } from '../../graph/problems.js';
import { inferShape } from '../../graph/shapes.js';
import { f32Tensor } from '../../graph/tensors.js';
import { codesOf, fusedClamp } from '../ops/state.js';
import type { TfliteModel, TfliteOperator, TfliteTensor } from '../reader.js';
import { realsOf } from './reals.js';

/** Thrown by an operator: it is known, this use of it has no form. */
export class Unsupported extends Error {}

/** A node whose outputs are given by who adds it. */
export type Part = Node extends infer One
  ? One extends Node
    ? Omit<One, 'name' | 'outputs'>
    : never
  : never;

export class FloatNet {
  readonly nodes: Node[] = [];
  readonly constants = new Map<string, Tensor>();
  readonly shapes = new Map<string, Shape>();
  readonly problems = new Problems();
  private readonly taken = new Set<string>();
  private readonly standing = new Map<number, string>();
  private readonly lost = new Set<number>();
  /** Constant tensors behind a DEQUANTIZE, by the tensor that it makes. */
  private readonly widened = new Map<number, TfliteTensor>();

  constructor(readonly model: TfliteModel) {
    for (const { name } of model.tensors) this.taken.add(name);
  }

  tensor(index: number): TfliteTensor {
    return this.model.tensors[index]!;
  }

  /** Reads an operator, unless it follows from one that has failed. */
  attempt(operator: TfliteOperator, read: () => void): void {
    const isLost = operator.inputs.some((index) => this.lost.has(index));
    try {
      if (!isLost) read();
    } catch (error) {
      if (!(error instanceof Unsupported) && !(error instanceof ModelError)) throw error;
      const name = this.tensor(operator.outputs[0] ?? 0).name;
      const reason = error instanceof ModelError ? error.detail : error.message;
      this.problems.add('unsupported-op', `operator ${operator.op} "${name}"`, reason);
    }
    const made = (index: number) =>
      this.shapes.has(this.outputValue(index)) || this.widened.has(index);
    for (const index of operator.outputs) if (!made(index)) this.lost.add(index);
  }

  /** Lets the output of a DEQUANTIZE stand for a constant. */
  widen(operator: TfliteOperator): void {
    const tensor = this.tensor(operator.inputs[0]!);
    if (tensor.data === undefined) throw new Unsupported('it reads codes that are no constant');
    this.widened.set(operator.outputs[0]!, tensor);
  }

  private constantAt(operator: TfliteOperator, position: number): TfliteTensor | undefined {
    const index = operator.inputs[position] ?? -1;
    if (index === -1) return undefined;
    const tensor = this.widened.get(index) ?? this.tensor(index);
    return tensor.data === undefined || tensor.isSparse ? undefined : tensor;
  }

  hasInput(operator: TfliteOperator, position: number): boolean {
    return (operator.inputs[position] ?? -1) !== -1;
  }

  /** A constant of real numbers, as it is stored. */
  reals(operator: TfliteOperator, position: number): Tensor {
    const tensor = this.constantAt(operator, position);
    if (tensor === undefined) throw new Unsupported(`input ${position} is no constant`);
    return f32Tensor(tensor.shape, realsOf(tensor));
  }

  /** A constant of whole numbers. */
  integers(operator: TfliteOperator, position: number): readonly number[] {
    const tensor = this.constantAt(operator, position);
    if (tensor === undefined) throw new Unsupported(`input ${position} is no constant`);
    return codesOf(tensor);
  }

  /** The name of an input as it is in the file (NHWC); constants become constants of the graph. */
  input(operator: TfliteOperator, position: number): string {
    const index = operator.inputs[position] ?? -1;
    if (index === -1) throw new Unsupported(`it has no input ${position}`);
    const { name } = this.tensor(index);
    if (this.shapes.has(name)) return name;
    this.constants.set(name, this.reals(operator, position));
    return name;
  }

  shape(name: string): Shape {
    const shape = this.shapes.get(name) ?? this.constants.get(name)?.shape;
    if (shape === undefined) throw new Unsupported(`"${name}" is made by nothing before it`);
    return shape;
  }

  addConstant(wanted: string, tensor: Tensor): string {
    const name = this.fresh(wanted);
    this.constants.set(name, tensor);
    return name;
  }

  fresh(wanted: string): string {
    let name = wanted;
    for (let i = 2; this.taken.has(name); i++) name = `${wanted}_${i}`;
    this.taken.add(name);
    return name;
  }

  /** Lets a value stand for an output of the model, whose operator is left out. */
  standIn(index: number, value: string): void {
    this.standing.set(index, value);
  }

  /** The value that an output of the model is. */
  outputValue(index: number): string {
    return this.standing.get(index) ?? this.tensor(index).name;
  }

  /** Adds a node that makes the value `output`. */
  add(part: Part, output: string): string {
    const node = { ...part, name: output, outputs: [output] } as Node;
    this.shapes.set(
      output,
      inferShape(node, (name) => this.shape(name)),
    );
    this.nodes.push(node);
    return output;
  }

  /** An image input, [1,C,H,W]. */
  image(operator: TfliteOperator, position: number): string {
    const input = this.input(operator, position);
    if (this.shape(input).length !== 4) {
      throw new Unsupported(`expected an image, got [${this.shape(input).join(', ')}]`);
    }
    const output = this.fresh(`${input}/nchw`);
    return this.add({ op: 'Transpose', inputs: [input], perm: [0, 3, 1, 2] }, output);
  }

  /** Adds the node of an operator and its fused activation. */
  finish(operator: TfliteOperator, part: Part, activation: Clamp | undefined): void {
    const output = this.outputName(operator);
    if (activation === undefined) this.add(part, output);
    else {
      const inner = this.add(part, this.fresh(`${output}/linear`));
      this.add({ op: 'Clamp', inputs: [inner], clamp: activation }, output);
    }
  }

  /** The same of a node on images. */
  finishImage(operator: TfliteOperator, part: Part, activation?: Clamp): void {
    const output = this.outputName(operator);
    let value = this.add(part, this.fresh(`${output}/linear`));
    if (activation !== undefined) {
      const bounded = { op: 'Clamp', inputs: [value], clamp: activation } as const;
      value = this.add(bounded, this.fresh(`${output}/nchw`));
    }
    this.add({ op: 'Transpose', inputs: [value], perm: [0, 2, 3, 1] }, output);
  }

  outputName({ outputs }: TfliteOperator): string {
    if (outputs.length !== 1) throw new Unsupported(`expected one output, got ${outputs.length}`);
    return this.tensor(outputs[0]!).name;
  }
}

/** The bounds of a fused activation. */
export function activationOf({ options }: TfliteOperator, field: number): Clamp | undefined {
  const activation = options?.int8(field) ?? 0;
  const clamp = fusedClamp(activation);
  if (clamp === null) throw new Unsupported(`fused activation ${activation}`);
  return clamp.clamp;
}

/** An axis of the file, counted from the front. */
export function axisOf(axis: number, rank: number): number {
  const front = axis < 0 ? axis + rank : axis;
  if (front < 0 || front >= rank) throw new Unsupported(`axis ${axis} of rank ${rank}`);
  return front;
}
