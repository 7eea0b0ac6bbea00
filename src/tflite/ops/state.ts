// SPDX-License-Identifier: Apache-2.0
// What is known while the operators of a .tflite file are read in order, and the quantized graph
// that grows from them. TFLite is NHWC, the graph NCHW.
import type { Clamp, Shape } from '../../graph/graph.js';
import { QuantAssembly } from '../../graph/quant-assembly.js';
import { constantLike } from '../../graph/quant-constant.js';
import type { QuantDType, QuantNode, QuantValue } from '../../graph/quant-graph.js';
import { bitsOfType, codeLimits } from '../../numeric/code-types.js';
import type { TfliteModel, TfliteOperator, TfliteTensor } from '../reader.js';

/** Reads one operator: adds its layers, or reports why it cannot. */
export type ReadOperator = (state: TfliteState, operator: TfliteOperator) => void;

const codeTypes: readonly string[] = ['u8', 's8', 's16', 's32'];

export class TfliteState extends QuantAssembly {
  /** Name of the network's input value, once known. */
  input: string | undefined;
  /** Tensors that hold sizes computed from shapes. */
  readonly shapeValues = new Set<number>();
  /** Value of each tensor that has been made. */
  private readonly made = new Map<number, string>();
  /** Tensors after a DEQUANTIZE: the value that they hold as float. */
  private readonly dequantized = new Map<number, string>();
  /** Flattened images, whose elements stand in NCHW order here and in NHWC order in the file. */
  private readonly flattened = new Map<number, Shape>();
  private readonly failed = new Set<number>();

  /** The float tensor, at or behind the model's input, whose QUANTIZE begins the network. */
  realInput: number | undefined;

  constructor(readonly model: TfliteModel) {
    super();
    const [input] = model.inputs;
    if (input !== undefined && model.tensors[input]?.type === 'f32') this.realInput = input;
  }

  isRealInput(index: number): boolean {
    return index === this.realInput;
  }

  /** Lets the network begin at an operator's output instead, if nothing else reads its input. */
  replaceInput(operator: TfliteOperator): boolean {
    const [from, to] = [operator.inputs[0]!, operator.outputs[0]];
    const isInput = this.input !== undefined && this.made.get(from) === this.input;
    const readers = this.model.operators.filter(({ inputs }) => inputs.includes(from));
    if (!isInput || this.nodes.length > 0 || readers.length !== 1 || to === undefined) return false;
    this.values.delete(this.input!);
    this.made.delete(from);
    this.makeInput(to);
    return true;
  }

  tensor(index: number): TfliteTensor {
    return this.model.tensors[index]!;
  }

  fail(operator: TfliteOperator, code: string, detail: string): undefined {
    this.problems.add(code, this.describe(operator), detail);
    this.giveUp(operator);
  }

  /** Marks what follows from a failure, so that it is not reported again. */
  giveUp(operator: TfliteOperator): undefined {
    for (const output of operator.outputs) this.failed.add(output);
  }

  hasFailed(operator: TfliteOperator): boolean {
    return operator.inputs.some((input) => this.failed.has(input));
  }

  describe({ op, outputs }: TfliteOperator): string {
    const output = outputs[0];
    return `operator ${op} "${output === undefined ? '' : this.tensor(output).name}"`;
  }

  /** The value of an activation input; undefined where there is none, which is reported. */
  activation(operator: TfliteOperator, position: number): QuantValue | undefined {
    const index = operator.inputs[position];
    if (index === undefined || index === -1) {
      this.fail(operator, 'bad-operator', `expected an input ${position}, got none`);
      return;
    }
    const name = this.made.get(index);
    if (name !== undefined) {
      if (this.flattened.has(index) && operator.op !== 'FULLY_CONNECTED') {
        this.fail(
          operator,
          'unsupported-shape',
          `its input "${name}" is a flattened image of more than one position, which only FULLY_CONNECTED may read`,
        );
        return;
      }
      return this.values.get(name);
    }
    const tensor = this.tensor(index);
    const detail = this.dequantized.has(index)
      ? `it reads "${tensor.name}" in float between integer layers; convert with full integer quantization`
      : tensor.data !== undefined
        ? `its input "${tensor.name}" is a constant; fold it`
        : `its input "${tensor.name}" is made by nothing before it`;
    const code = this.dequantized.has(index) ? 'float-layer' : 'bad-operator';
    this.fail(operator, code, detail);
    return undefined;
  }

  /** An absent input is -1 or missing. */
  hasInput(operator: TfliteOperator, position: number): boolean {
    return (operator.inputs[position] ?? -1) !== -1;
  }

  /** A constant input; undefined where it is none, which is reported. */
  constant(operator: TfliteOperator, position: number): TfliteTensor | undefined {
    const index = operator.inputs[position];
    const tensor = index === undefined || index === -1 ? undefined : this.tensor(index);
    if (tensor?.data !== undefined && !tensor.isSparse) return tensor;
    const got = tensor === undefined ? 'none' : `"${tensor.name}"`;
    this.fail(
      operator,
      'unsupported-constant',
      `expected a dense constant at input ${position}, got ${got}`,
    );
    return undefined;
  }

  /** Starts the network at tensor `index`. */
  makeInput(index: number): void {
    const value = this.toValue(index);
    if (typeof value === 'string') {
      this.problems.add('bad-input', `input "${this.tensor(index).name}"`, value);
      this.failed.add(index);
      return;
    }
    this.values.set(value.name, value);
    this.made.set(index, value.name);
    this.input = value.name;
  }

  /**
   * An output of the operator as a value, not added yet; undefined where it is none, reported.
   *
   * @param position which one, of an operator that may have several
   */
  output(operator: TfliteOperator, position?: number): QuantValue | undefined {
    const index = operator.outputs[position ?? 0];
    if (index === undefined || (position === undefined && operator.outputs.length !== 1)) {
      this.fail(operator, 'bad-operator', `expected one output, got ${operator.outputs.length}`);
      return;
    }
    if (this.made.has(index) || this.dequantized.has(index)) {
      this.fail(operator, 'bad-operator', 'its output is written twice');
      return;
    }
    const value = this.toValue(index);
    if (typeof value !== 'string') return value;
    const isFloat = this.tensor(index).type === 'f32';
    this.fail(operator, isFloat ? 'float-layer' : 'bad-quantization', value);
    return undefined;
  }

  /** Channels of an output that has been added. */
  outputChannels(operator: TfliteOperator, position: number): number {
    return this.values.get(this.made.get(operator.outputs[position]!)!)!.shape[1]!;
  }

  /** Adds an operator's output value and the layer that makes it. */
  addOutput(operator: TfliteOperator, value: QuantValue, node: QuantNode, position = 0): void {
    this.addInner(value, node);
    this.made.set(operator.outputs[position]!, value.name);
  }

  /** The row `value` as an image of one pixel, by a layer of its own. */
  reshaped(value: QuantValue, name: string): QuantValue {
    const image = { ...value, name, shape: [1, value.shape[1]!, 1, 1] };
    this.addInner(image, {
      op: 'Reshape',
      name: this.claimLayer(name),
      inputs: [value.name],
      output: name,
    });
    return image;
  }

  /** Lets tensor `index` stand for `value`. */
  alias(index: number, value: string): void {
    this.made.set(index, value);
  }

  dequantize(index: number, value: string): void {
    this.dequantized.set(index, value);
  }

  /** The value behind a DEQUANTIZE. */
  dequantizedValue(index: number): string | undefined {
    return this.dequantized.get(index);
  }

  flatten(index: number, image: Shape): void {
    this.flattened.set(index, image);
  }

  /** [1,C,H,W] of the image that tensor `index` flattens, if it does. */
  flattenedImage(index: number): Shape | undefined {
    return this.flattened.get(index);
  }

  /** The value that an output tensor holds. */
  result(index: number): string | undefined {
    const value = this.made.get(index) ?? this.dequantized.get(index);
    if (value === undefined && !this.failed.has(index)) {
      this.missingOutput(this.tensor(index).name);
    }
    return value;
  }

  /**
   * The operand of an addition or product, as a value; constants become layers.
   *
   * @param like what a constant is added to
   * @param negate whether to give minus the constant
   */
  operand(
    operator: TfliteOperator,
    position: number,
    like: QuantValue | undefined,
    negate = false,
  ): QuantValue | undefined {
    const index = operator.inputs[position] ?? -1;
    const tensor = index === -1 ? undefined : this.tensor(index);
    if (tensor?.data === undefined || this.made.has(index)) {
      return this.activation(operator, position);
    }
    const value = this.toValue(index);
    if (like === undefined || typeof value === 'string') {
      const detail = typeof value === 'string' ? value : 'both operands are constants; fold them';
      this.fail(operator, 'unsupported-constant', detail);
      return;
    }
    const codes = codesOf(tensor);
    const channels = like.shape[1]!;
    const lastIsChannels = codes.length === channels && tensor.shape.at(-1) === channels;
    if (codes.length !== 1 && !lastIsChannels) {
      this.fail(
        operator,
        'unsupported-constant',
        `expected a constant of one value per channel, got shape [${tensor.shape.join(', ')}]`,
      );
      return;
    }
    const constant = { ...value, name: this.claimLayer(tensor.name), codes };
    return this.addConstant(constantLike(like, negate ? negative(constant) : constant, true));
  }

  /** The tensor as a value, or what is wrong with it. */
  private toValue(index: number): QuantValue | string {
    const { name, type, shape, quantization } = this.tensor(index);
    if (type === undefined || !codeTypes.includes(type)) {
      return `tensor "${name}" is ${type ?? 'of an unsupported type'}, expected codes; convert with full integer quantization`;
    }
    const dtype = type as QuantDType;
    const image = toChannelsFirst(shape);
    if (image === undefined || image.some((size) => size < 1)) {
      const wayOut = shape.length > 1 && shape[0]! > 1 ? '; convert with batch size 1' : '';
      return `tensor "${name}" has shape [${shape.join(', ')}], expected [1,H,W,C] or [1,C]${wayOut}`;
    }
    if (quantization === undefined) return `tensor "${name}" has no scale; quantize it`;
    const { scales, zeroPoints } = quantization;
    const [scale] = scales;
    const zeroPoint = zeroPoints[0] ?? 0;
    const bits = bitsOfType[dtype];
    const [lo, hi] = codeLimits(dtype, bits);
    if (scales.length !== 1 || !(scale! > 0 && scale! < Infinity)) {
      return `tensor "${name}" has scales ${scales.slice(0, 3).join(', ')}, expected one positive scale`;
    }
    if (zeroPoint < lo || zeroPoint > hi) {
      return `tensor "${name}" has zero point ${zeroPoint}, expected ${lo} to ${hi}`;
    }
    return { name, shape: image, dtype, bits, scale: scale!, zeroPoint };
  }
}

/** The same real values with the other sign, exactly: codes mirrored within their type. */
function negative<C extends Pick<QuantValue, 'dtype' | 'zeroPoint'> & { codes: readonly number[] }>(
  constant: C,
): C {
  const { dtype } = constant;
  // 16-bit codes have no zero point.
  const sum = dtype === 'u8' ? 255 : dtype === 's8' ? -1 : 0;
  const mirror = (code: number) => sum - code;
  return {
    ...constant,
    zeroPoint: mirror(constant.zeroPoint),
    codes: constant.codes.map(mirror),
  };
}

/** [1,H,W,C] -> [1,C,H,W]; vectors and scalars -> [1,C]. */
function toChannelsFirst(shape: Shape): Shape | undefined {
  if (shape.length === 4 && shape[0] === 1) return [1, shape[3]!, shape[1]!, shape[2]!];
  if (shape.length === 0) return [1, 1];
  const long = shape.length === 1 ? shape : shape.slice(1);
  const isRow = shape.length <= 3 && (shape.length === 1 || shape[0] === 1);
  if (!isRow || long.slice(0, -1).some((size) => size !== 1)) return undefined;
  return [1, long.at(-1)!];
}

/** Integers of a constant tensor. */
export function codesOf({ type, data, shape }: TfliteTensor): readonly number[] {
  const count = shape.reduce((product, size) => product * size, 1);
  const bytes = data!;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (type) {
    case 'u8':
    case 'bool':
      return [...bytes];
    case 's8':
      return Array.from(bytes, (byte) => (byte << 24) >> 24);
    case 's4':
      // Two to a byte, the first in the low half.
      return Array.from(
        { length: count },
        (_, i) => ((bytes[i >> 1]! >> (4 * (i & 1))) << 28) >> 28,
      );
    case 's16':
      return Array.from({ length: count }, (_, i) => view.getInt16(2 * i, true));
    case 's32':
      return Array.from({ length: count }, (_, i) => view.getInt32(4 * i, true));
    case 's64':
      return Array.from({ length: count }, (_, i) => Number(view.getBigInt64(8 * i, true)));
    case 'f32':
    case 'f16':
    case undefined:
      return [];
  }
}

/** enum ActivationFunctionType as bounds in real units; null for those that are not bounds. */
export function fusedClamp(activation: number): { readonly clamp?: Clamp } | null {
  const bounds = (lo: number, hi: number) => ({
    clamp: { lo: Float32Array.of(lo), hi: Float32Array.of(hi) },
  });
  switch (activation) {
    case 0:
      return {};
    case 1:
      return bounds(0, Infinity);
    case 2:
      return bounds(-1, 1);
    case 3:
      return bounds(0, 6);
    default:
      return null;
  }
}
