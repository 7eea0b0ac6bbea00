// SPDX-License-Identifier: Apache-2.0
// A .tflite file from its tensors and operators. The twin of reader.ts, whose field numbers these
// are.
import { operatorCode } from '../operator-names.js';
import { type FlatFields, encodeFlat, field } from './flat-tables.js';

/** enum TensorType of what a quantized network holds. */
const typeCodes = { s32: 2, u8: 3, s64: 4, s16: 7, s8: 9, s4: 17 } as const;

export type FileType = keyof typeof typeCodes;

export interface FileTensor {
  readonly name: string;
  readonly type: FileType;
  /** As stored, NHWC. */
  readonly shape: readonly number[];
  readonly quantization?: {
    readonly scales: ArrayLike<number>;
    readonly zeroPoints: ArrayLike<number>;
    /** The dimension of several scales. */
    readonly axis: number;
  };
  /** Little-endian bytes of a constant. */
  readonly data?: Uint8Array;
}

/** builtin_options: the table's number in the union of the schema, and its fields. */
export interface OperatorOptions {
  readonly union: number;
  readonly fields: FlatFields;
}

export interface FileOperator {
  /** BuiltinOperator name. */
  readonly op: string;
  /** The least version of the operator that has what is asked of it. */
  readonly version: number;
  /** Tensor indices. */
  readonly inputs: readonly number[];
  readonly output: number;
  readonly options?: OperatorOptions;
}

export interface FileModel {
  readonly name: string;
  readonly tensors: readonly FileTensor[];
  readonly operators: readonly FileOperator[];
  readonly input: number;
  readonly outputs: readonly number[];
  /** Texts by key, which runtimes carry along. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** Version of the schema. */
const schemaVersion = 3;

/** The bytes of a .tflite file. */
export function encodeTflite(model: FileModel): Uint8Array {
  // Buffer 0 stands for none.
  const buffers: FlatFields[] = [{}];
  const bufferOf = (data: Uint8Array | undefined): number =>
    data === undefined ? 0 : buffers.push({ 0: field.bytes(data) }) - 1;
  const tensors = model.tensors.map((tensor) => tensorTable(tensor, bufferOf(tensor.data)));
  const codes = new OperatorCodes();
  const operators = model.operators.map((one) => operatorTable(one, codes.indexOf(one)));
  const metadata = [...model.metadata].map(([key, text]) => ({
    0: field.text(key),
    1: field.int(bufferOf(Buffer.from(text, 'utf8'))),
  }));
  const graph: FlatFields = {
    0: field.tables(tensors),
    1: field.ints([model.input]),
    2: field.ints(model.outputs),
    3: field.tables(operators),
    4: field.text(model.name),
  };
  const root: FlatFields = {
    0: field.int(schemaVersion),
    1: field.tables(codes.tables),
    2: field.tables([graph]),
    3: field.text('lastbit'),
    4: field.tables(buffers),
    ...(metadata.length === 0 ? {} : { 6: field.tables(metadata) }),
  };
  return encodeFlat(root, 'TFL3');
}

function tensorTable({ name, type, shape, quantization }: FileTensor, buffer: number): FlatFields {
  const table: FlatFields = {
    0: field.ints(shape),
    1: field.byte(typeCodes[type]),
    2: field.int(buffer),
    3: field.text(name),
  };
  if (quantization === undefined) return table;
  const { scales, zeroPoints, axis } = quantization;
  const stored = { 2: field.floats(scales), 3: field.longs(zeroPoints), 6: field.int(axis) };
  return { ...table, 4: field.table(stored) };
}

function operatorTable({ inputs, output, options }: FileOperator, code: number): FlatFields {
  const table = { 0: field.int(code), 1: field.ints(inputs), 2: field.ints([output]) };
  if (options === undefined) return table;
  return { ...table, 3: field.byte(options.union), 4: field.table(options.fields) };
}

/** The list of operators in use that a file's operators point into. */
class OperatorCodes {
  readonly tables: FlatFields[] = [];
  private readonly places = new Map<string, number>();

  indexOf({ op, version }: FileOperator): number {
    const key = `${op} ${version}`;
    const known = this.places.get(key);
    if (known !== undefined) return known;
    const code = operatorCode(op);
    // The old field of one byte, which older runtimes read, ends at 127.
    const table = {
      0: field.byte(Math.min(code, 127)),
      2: field.int(version),
      3: field.int(code),
    };
    this.places.set(key, this.tables.push(table) - 1);
    return this.tables.length - 1;
  }
}
