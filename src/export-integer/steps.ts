// SPDX-License-Identifier: Apache-2.0
// The ONNX nodes that one operation of a program becomes.
import { ModelError } from '../errors.js';
import { codeLimits, type CodeType } from '../numeric/code-types.js';
import { type OnnxBuilder, attribute } from '../onnx/file/builder.js';
import { dataTypeOf } from '../onnx/file/dtypes.js';
import type { OnnxAttribute, OnnxData, OnnxDType } from '../onnx/file/model.js';
import type { ProgramTensor } from '../program/program.js';
import type { Interval, Vector } from './bounds.js';

/** Codes of a tensor of the program: an ONNX tensor [1, C, H, W] of the codes' own type. */
export interface CodesTensor extends Pick<
  ProgramTensor,
  'dtype' | 'height' | 'width' | 'channels' | 'zeroPoint'
> {
  readonly tensor: string;
}

/** What all operations of one file share. */
export interface Shared {
  readonly file: OnnxBuilder;
  readonly target: string;
  /** Names of constants by type, shape and bytes. */
  readonly constants: Map<string, string>;
  /** What is derived from a tensor for several readers: its bytes as u8, by name and meaning. */
  readonly derived: Map<string, string>;
}

/** Emits nodes; every name it invents begins with the operation's. */
export class Steps {
  constructor(
    readonly shared: Shared,
    private readonly operation: string,
    private readonly kind: string,
  ) {}

  /**
   * @param wanted the output's name, where that matters
   * @returns the output's name
   */
  node(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
    wanted?: string,
  ): string {
    const { file } = this.shared;
    const output = wanted ?? file.value(`${this.operation}_${op}`);
    file.node(op, file.layer(`${this.operation}/${op}`), inputs, output, attributes);
    return output;
  }

  /** A tensor's channels, one by one. */
  split(tensor: string, channels: number): readonly string[] {
    const { file } = this.shared;
    const outputs = Array.from({ length: channels }, () => file.value(`${this.operation}_Split`));
    const name = file.layer(`${this.operation}/Split`);
    const attributes = new Map([['axis', attribute.int(1)]]);
    file.nodes.push({ name, op: 'Split', domain: '', inputs: [tensor], outputs, attributes });
    return outputs;
  }

  cast(tensor: string, to: OnnxDType, wanted?: string): string {
    return this.node('Cast', [tensor], { to: attribute.int(dataTypeOf(to)) }, wanted);
  }

  /** An initializer; equal ones are stored once. */
  constant(dtype: OnnxDType, shape: readonly number[], data: OnnxData | BigInt64Array): string {
    const { file, constants } = this.shared;
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const key = `${dtype} ${shape.join()} ${bytes.toString('latin1')}`;
    const known = constants.get(key);
    if (known !== undefined) return known;
    const wanted = `${this.operation}_constant`;
    const name =
      data instanceof BigInt64Array
        ? file.constantInt64(wanted, shape, data)
        : file.constant(wanted, dtype, shape, data);
    constants.set(key, name);
    return name;
  }

  /** s64: a scalar for one entry, else [1, C, 1, 1]. */
  vector(values: Vector): string {
    return this.constant('s64', channelShape(values.length), BigInt64Array.from(values));
  }

  /** s64 [n], as shapes, axes and pads are. */
  list(values: readonly number[]): string {
    return this.constant('s64', [values.length], BigInt64Array.from(values, BigInt));
  }

  /** f32 or f64: a scalar for one entry, else [1, C, 1, 1]. */
  reals(values: readonly number[], type: 'f32' | 'f64' = 'f32'): string {
    const array = type === 'f32' ? Float32Array.from(values) : Float64Array.from(values);
    return this.constant(type, channelShape(values.length), array);
  }

  /** @throws ModelError: this operation has no exact form in ONNX's operators. */
  refuse(why: string): never {
    throw new ModelError(
      'no-integer-form',
      `operation "${this.operation}" (${this.kind}, target ${this.shared.target})`,
      `${why}; run the model with lastbit, or choose another target for --form integer`,
    );
  }
}

/** Of a constant with an entry for all channels or one for each. */
function channelShape(entries: number): readonly number[] {
  return entries === 1 ? [] : [1, entries, 1, 1];
}

/** Least and greatest code of a type. */
export function rangeOf(dtype: CodeType): Interval {
  const [least, greatest] = codeLimits(dtype);
  return [BigInt(least), BigInt(greatest)];
}
