// SPDX-License-Identifier: Apache-2.0
// A .tflite file while it is written: tensors and operators in order, and what metadata must say.
import type { Clamp } from '../../graph/graph.js';
import { Problems } from '../../graph/problems.js';
import type { QuantGraph, QuantNode, QuantValue } from '../../graph/quant-graph.js';
import { bitsOfType } from '../../numeric/code-types.js';
import type { FileOperator, FileTensor, FileType, OperatorOptions } from './file.js';

/** The types of activations that TFLite's integer kernels have. */
export type ActivationType = 'u8' | 's8' | 's16';

/** An operator before it has its place: the layer's first input and its output are implied. */
export interface Operator {
  readonly op: string;
  readonly version: number;
  readonly options?: OperatorOptions;
  /** Tensor indices after the layer's own inputs. */
  readonly constants?: readonly number[];
}

export class TfliteWriter {
  readonly problems = new Problems();
  readonly tensors: FileTensor[] = [];
  readonly operators: FileOperator[] = [];
  /** Clamps that metadata have to carry, by layer name (FileFacts). */
  readonly clamps = new Map<string, Clamp>();
  readonly layerNames = new Map<string, string>();
  readonly paddings = new Set<string>();
  /** Rows that hold an image's elements, in NHWC order here and in NCHW order in the graph. */
  readonly flattened = new Map<string, QuantValue>();
  /** Nodes that another one's operator has carried out. */
  readonly done = new Set<QuantNode>();
  /** Tensor index of each value. */
  private readonly written = new Map<string, number>();
  private readonly names: Set<string>;

  constructor(readonly graph: QuantGraph) {
    this.names = new Set(graph.values.keys());
  }

  /** Reports why a layer cannot be written. */
  fail(node: QuantNode, code: string, detail: string): void {
    this.problems.add(code, `layer "${node.name}"`, detail);
  }

  /** @throws Error for a graph whose values are incomplete */
  value(name: string): QuantValue {
    const value = this.graph.values.get(name);
    if (value === undefined) throw new Error(`the quantized graph does not hold "${name}"`);
    return value;
  }

  input(node: QuantNode, position = 0): QuantValue {
    return this.value(node.inputs[position]!);
  }

  output(node: QuantNode): QuantValue {
    return this.value(node.output);
  }

  readers(name: string): readonly QuantNode[] {
    return this.graph.nodes.filter(({ inputs }) => inputs.includes(name));
  }

  /** The type that all values of a layer share; undefined where TFLite has none, reported. */
  commonType(node: QuantNode): ActivationType | undefined {
    const { dtype } = this.output(node);
    const others = node.inputs.map((name) => this.value(name).dtype);
    if (isActivationType(dtype) && others.every((type) => type === dtype)) return dtype;
    this.fail(
      node,
      'unsupported-types',
      `expected one type of codes (s8, u8 or s16) at inputs and output, got ${[...others, dtype].join(', ')}; quantize for tflm, tflite-u8 or tflite-ref`,
    );
    return undefined;
  }

  /** Index of the tensor that holds a value, which is added unless it is there. */
  tensorOf(value: QuantValue): number {
    const known = this.written.get(value.name);
    if (known !== undefined) return known;
    const { name, dtype, scale, zeroPoint, bits } = value;
    const shape = channelsLast(value.shape);
    if (!isActivationType(dtype) || shape === undefined || bits < bitsOfType[dtype]) {
      this.problems.add(
        'unsupported-value',
        `value "${name}"`,
        `expected an image or a row of s8, u8 or s16 codes that use all bits, got [${value.shape.join(', ')}] of ${bits} bits in ${dtype}; write an .onnx file`,
      );
    }
    const index = this.tensors.push({
      name,
      type: dtype,
      shape: shape ?? value.shape,
      quantization: { scales: [scale], zeroPoints: [zeroPoint], axis: 0 },
    });
    this.written.set(name, index - 1);
    return index - 1;
  }

  /** Adds a constant; its name is made from the wanted one. */
  constant(
    wanted: string,
    type: FileType,
    shape: readonly number[],
    data: Uint8Array,
    quantization?: NonNullable<FileTensor['quantization']>,
  ): number {
    const name = this.claim(wanted);
    const tensor = { name, type, shape, data, ...(quantization ? { quantization } : {}) };
    return this.tensors.push(tensor) - 1;
  }

  /** A constant of 32-bit integers: axes, sizes, shapes. */
  integers(wanted: string, shape: readonly number[], values: readonly number[]): number {
    return this.constant(wanted, 's32', shape, littleEndian(Int32Array.from(values)));
  }

  /** Adds the operator of a layer, and its name where that is not its output's. */
  add(node: QuantNode, operator: Operator, inputs?: readonly QuantValue[]): void {
    const values = inputs ?? node.inputs.map((name) => this.value(name));
    this.addOperator(operator, values, this.output(node));
    if (node.name !== node.output) this.layerNames.set(node.output, node.name);
  }

  /** Adds an operator that makes `output`. */
  addOperator(
    { op, version, options, constants = [] }: Operator,
    inputs: readonly QuantValue[],
    output: QuantValue,
  ): void {
    this.operators.push({
      op,
      version,
      inputs: [...inputs.map((value) => this.tensorOf(value)), ...constants],
      output: this.tensorOf(output),
      ...(options === undefined ? {} : { options }),
    });
  }

  /** A name that no other tensor has. */
  claim(wanted: string): string {
    let name = wanted;
    for (let n = 2; this.names.has(name); ++n) name = `${wanted}#${n}`;
    this.names.add(name);
    return name;
  }
}

function isActivationType(type: string): type is ActivationType {
  return type === 's8' || type === 'u8' || type === 's16';
}

/** [1,C,H,W] -> [1,H,W,C]; rows stay. */
function channelsLast(shape: readonly number[]): readonly number[] | undefined {
  const [batch, channels, height, width] = shape;
  if (batch !== 1) return undefined;
  if (shape.length === 2) return shape;
  return shape.length === 4 ? [1, height!, width!, channels!] : undefined;
}

/** Integers as a file holds them, whatever the processor's own order is. */
export function littleEndian(values: Int16Array | Int32Array | BigInt64Array): Uint8Array {
  const size = values.BYTES_PER_ELEMENT;
  const bytes = new Uint8Array(values.length * size);
  const view = new DataView(bytes.buffer);
  values.forEach((value: number | bigint, i: number) => {
    if (typeof value === 'bigint') view.setBigInt64(i * size, value, true);
    else if (size === 2) view.setInt16(i * size, value, true);
    else view.setInt32(i * size, value, true);
  });
  return bytes;
}
