// SPDX-License-Identifier: Apache-2.0
// Numbers that a device or a simulation wrote, from the files that such things write.
import { extname } from 'node:path';

import { type Dump, dumpLengths } from '../analyze/index.js';
import { laneOrders, numbersOf, readMemory, readNpy } from '../data/index.js';
import { ModelError } from '../errors.js';
import { Budget } from '../limits/budget.js';
import { readPlainFile } from '../limits/read-file.js';
import type { CodeTensor } from '../program/executor.js';

/** Files that are read: NumPy arrays, raw numbers, memories as $readmemh reads them. */
export const dumpEndings: readonly string[] = ['.npy', '.bin', '.mem', '.hex'];

/**
 * A file's numbers in each way in which it may be meant.
 * @param tensor what they should be
 * @throws ModelError `no-such-file`, `bad-npy`, `bad-memory`, `dump-size`
 */
export function readDump(path: string, tensor: CodeTensor): readonly Dump[] {
  const refuse = (reason: string) => new ModelError('no-such-file', path, reason);
  const bytes = new Uint8Array(readPlainFile(path, new Budget(), refuse));
  switch (extname(path).toLowerCase()) {
    case '.bin':
      return fromBytes(bytes, path, tensor);
    case '.npy':
      return [fromNpy(bytes, path)];
    default:
      return fromMemory(bytes, path, tensor);
  }
}

/** A number a word where there are so many words, else as many of the tensor's width as a word holds. */
function fromMemory(bytes: Uint8Array, path: string, tensor: CodeTensor): readonly Dump[] {
  const memory = readMemory(new TextDecoder().decode(bytes), path);
  const { dtype, data } = tensor;
  const signed = dtype !== 'u8';
  const of = (width: number, order: (typeof laneOrders)[number]): Dump => ({
    dtype: `${signed ? 's' : 'u'}${width}`,
    shape: undefined,
    values: numbersOf(memory, width, signed, order),
  });
  if (memory.words.length === data.length) return [of(memory.bits, 'low-first')];
  const width = 8 * data.BYTES_PER_ELEMENT;
  const cut = (dump: Dump): readonly Dump[] => {
    const spare = dump.values.length - data.length;
    const isFilled = spare > 0 && spare < memory.bits / width;
    return isFilled
      ? [dump, { ...dump, values: Array.from(dump.values).slice(0, data.length) }]
      : [dump];
  };
  return laneOrders.flatMap((order) => cut(of(width, order)));
}

function fromNpy(bytes: Uint8Array, path: string): Dump {
  const { dtype, shape, data } = readNpy(bytes, path);
  const values = data instanceof BigInt64Array ? Float64Array.from(data, Number) : data;
  const sides = shape.length === 4 && shape[0] === 1 ? shape.slice(1) : shape;
  return { dtype, shape: sides, values };
}

/** A .bin says nothing of its type: the size of a number tells, and for 4 bytes what they hold. */
function fromBytes(bytes: Uint8Array, path: string, tensor: CodeTensor): readonly Dump[] {
  const { buffer } = Uint8Array.from(bytes);
  const dumps = dumpLengths(tensor).flatMap((count) => {
    const [dtype, values] = numbersIn(buffer, bytes.length / count, tensor);
    return values === undefined ? [] : [{ dtype, shape: undefined, values }];
  });
  if (dumps.length > 0) return dumps;
  throw new ModelError(
    'dump-size',
    path,
    `expected 1, 2 or 4 bytes for each of the ${tensor.data.length} codes of "${tensor.name}", got ${bytes.length} bytes; dump one image of this layer`,
  );
}

function numbersIn(
  buffer: ArrayBuffer,
  size: number,
  tensor: CodeTensor,
): readonly [dtype: string, values?: ArrayLike<number>] {
  switch (size) {
    case 1:
      return tensor.dtype === 'u8' ? ['u8', new Uint8Array(buffer)] : ['s8', new Int8Array(buffer)];
    case 2:
      return ['s16', new Int16Array(buffer)];
    case 4: {
      const reals = new Float32Array(buffer);
      const limit = 2 ** 16 * Math.max(tensor.scale, 1);
      // Small integers read as float32 are denormal or NaN; reals of a layer are neither.
      const real = reals.every((x) => x === 0 || (Math.abs(x) > 1e-30 && Math.abs(x) < limit));
      return real ? ['f32', reals] : ['s32', new Int32Array(buffer)];
    }
    default:
      return [''];
  }
}
