// SPDX-License-Identifier: Apache-2.0
// A .tflite file as plain data. Field numbers and enumerations are facts of the TFLite schema,
// tensorflow/compiler/mlir/lite/schema/schema.fbs of tensorflow/tensorflow (schema version 3).
import { ModelError } from '../errors.js';
import { Budget } from '../limits/budget.js';
import { FlatFile, type FlatTable } from './flat-table.js';
import { operatorName } from './operator-names.js';

type TfliteType = 'f32' | 'f16' | 's32' | 'u8' | 's64' | 's16' | 's8' | 's4' | 'bool';

/** enum TensorType; the rest has no place in a quantized classifier. */
const types: Readonly<Record<number, TfliteType>> = {
  0: 'f32',
  1: 'f16',
  2: 's32',
  3: 'u8',
  4: 's64',
  6: 'bool',
  7: 's16',
  9: 's8',
  17: 's4',
};

const bitsOf: Readonly<Record<TfliteType, number>> = {
  f32: 32,
  f16: 16,
  s32: 32,
  u8: 8,
  s64: 64,
  s16: 16,
  s8: 8,
  s4: 4,
  bool: 8,
};

interface TfliteQuantization {
  readonly scales: readonly number[];
  readonly zeroPoints: readonly number[];
  /** The dimension of several scales. */
  readonly axis: number;
}

export interface TfliteTensor {
  /** Unique; made up from the index where the file repeats or omits it. */
  readonly name: string;
  /** Undefined for types that quantized networks do not have. */
  readonly type: TfliteType | undefined;
  /** As stored, NHWC. */
  readonly shape: readonly number[];
  readonly quantization: TfliteQuantization | undefined;
  /** Raw little-endian bytes of a constant, exactly as many as the shape needs. */
  readonly data: Uint8Array | undefined;
  readonly isSparse: boolean;
}

export interface TfliteOperator {
  /** BuiltinOperator name, or the name of a custom operator. */
  readonly op: string;
  /** Tensor indices, -1 for an absent optional input; all others are valid. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** builtin_options; its type follows from the operator. */
  readonly options: FlatTable | undefined;
}

export interface TfliteModel {
  readonly name: string;
  readonly tensors: readonly TfliteTensor[];
  readonly operators: readonly TfliteOperator[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** Texts that lastbit left in the file, by key. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** Elements of the largest tensor that is accepted. */
const mostElements = 2 ** 28;

/**
 * Reads the first subgraph.
 *
 * @param file what errors call the model
 * @throws ModelError for a file that is not TFLite, is truncated, or points outside itself
 */
export function readTflite(bytes: Uint8Array, file = 'model', budget = new Budget()): TfliteModel {
  if (bytes.length < 8 || Buffer.from(bytes.subarray(4, 8)).toString('latin1') !== 'TFL3') {
    throw new ModelError(
      'not-tflite',
      file,
      'expected a TFLite FlatBuffer (identifier "TFL3" at byte 4); check that it is a .tflite file',
    );
  }
  const flat = new FlatFile(bytes, file, budget);
  const model = flat.root();
  const version = model.uint32(0);
  if (version !== 3) throw flat.damaged(`expected schema version 3, got ${version}`);
  const graph = model.tables(2)[0];
  if (graph === undefined) throw flat.damaged('it has no subgraph');
  const buffers = model.tables(4);
  const tensors = readTensors(flat, graph.tables(0), buffers);
  const codes = model.tables(1).map(codeName);
  const operators = graph.tables(3).map((table, i): TfliteOperator => {
    const op = codes[table.uint32(0)];
    if (op === undefined) throw flat.damaged(`operator ${i} has no operator code`);
    return {
      op,
      inputs: indices(flat, table.int32s(1), tensors, -1),
      outputs: indices(flat, table.int32s(2), tensors, 0),
      options: table.table(4),
    };
  });
  return {
    name: graph.string(4) || 'main',
    tensors,
    operators,
    inputs: indices(flat, graph.int32s(1), tensors, 0),
    outputs: indices(flat, graph.int32s(2), tensors, 0),
    metadata: readMetadata(flat, model.tables(6), buffers),
  };
}

/** Metadata of other tools are left alone; some are large, and none is text for sure. */
function readMetadata(
  flat: FlatFile,
  entries: readonly FlatTable[],
  buffers: readonly FlatTable[],
): ReadonlyMap<string, string> {
  const own = entries.filter((entry) => entry.string(0).startsWith('lastbit.'));
  return new Map(
    own.map((entry) => {
      const [key, index] = [entry.string(0), entry.uint32(1)];
      const holder = buffers[index];
      if (holder === undefined) throw flat.damaged(`metadata "${key}" has no buffer ${index}`);
      return [key, Buffer.from(bufferBytes(flat, holder) ?? []).toString('utf8')];
    }),
  );
}

/** The old field holds at most 127; newer operators use the wide one. */
function codeName(table: FlatTable): string {
  const code = Math.max(table.int8(0), table.int32(3));
  const custom = 32;
  return code === custom ? `CUSTOM "${table.string(1)}"` : operatorName(code);
}

function indices(
  flat: FlatFile,
  list: readonly number[],
  tensors: readonly unknown[],
  least: number,
): readonly number[] {
  for (const index of list) {
    if (index < least || index >= tensors.length) {
      throw flat.damaged(`tensor index ${index} is outside 0 to ${tensors.length - 1}`);
    }
  }
  return list;
}

function readTensors(
  flat: FlatFile,
  tables: readonly FlatTable[],
  buffers: readonly FlatTable[],
): readonly TfliteTensor[] {
  const taken = new Set<string>();
  return tables.map((table, i) => {
    const stored = table.string(3);
    const name = stored === '' || taken.has(stored) ? `${stored}#${i}` : stored;
    taken.add(name);
    const type = types[table.int8(1)];
    const shape = table.int32s(0);
    const count = shape.reduce((product, size) => product * size, 1);
    if (shape.length > 8 || shape.some((size) => size < 0) || count > mostElements) {
      throw flat.damaged(`tensor "${name}" has shape [${shape.slice(0, 8).join(', ')}]`);
    }
    const buffer = table.uint32(2);
    const holder = buffers[buffer];
    if (holder === undefined) throw flat.damaged(`tensor "${name}" has no buffer ${buffer}`);
    const data = bufferBytes(flat, holder);
    if (data !== undefined && type !== undefined) {
      const expected = Math.ceil((count * bitsOf[type]) / 8);
      if (data.length !== expected) {
        throw flat.damaged(
          `tensor "${name}" needs ${expected} bytes for [${shape.join(', ')}] of ${type}, its buffer has ${data.length}`,
        );
      }
    }
    // Many tensors may name one buffer; each of them gets its own copy in the layout of the graph.
    flat.memory.takeMemory(2 * (data?.length ?? 0), `tensor "${name}"`, 'its elements');
    const quantization = readQuantization(table.table(4));
    return { name, type, shape, quantization, data, isSparse: table.has(6) };
  });
}

/** Data inside the buffer's table, or (in files beyond 2 GB) behind the FlatBuffer. */
function bufferBytes(flat: FlatFile, holder: FlatTable): Uint8Array | undefined {
  const inside = holder.bytes(0);
  if (inside !== undefined && inside.length > 0) return inside;
  const [offset, size] = [holder.uint64(1), holder.uint64(2)];
  if (offset <= 1 || size === 0) return undefined;
  flat.check(offset, size, 'a buffer');
  return flat.bytes.subarray(offset, offset + size);
}

function readQuantization(table: FlatTable | undefined): TfliteQuantization | undefined {
  if (table === undefined) return undefined;
  const scales = table.float32s(2);
  if (scales.length === 0) return undefined;
  return { scales, zeroPoints: table.int64s(3), axis: table.int32(6) };
}
