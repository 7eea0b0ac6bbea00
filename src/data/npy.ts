// SPDX-License-Identifier: Apache-2.0
// NumPy's .npy, versions 1 to 3 (format: numpy.lib.format), for arrays of plain numbers.
import { ModelError } from '../errors.js';

export type NpyDType = 'f32' | 'f64' | 'u8' | 's8' | 'u16' | 's16' | 's32' | 's64';

type NpyData =
  | Float32Array
  | Float64Array
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Int32Array
  | BigInt64Array;

/** A dense array in C order. */
export interface NpyArray {
  readonly dtype: NpyDType;
  readonly shape: readonly number[];
  readonly data: NpyData;
}

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/** Types by their name in a header, less the byte order. */
const types = {
  f4: { dtype: 'f32', array: Float32Array },
  f8: { dtype: 'f64', array: Float64Array },
  u1: { dtype: 'u8', array: Uint8Array },
  b1: { dtype: 'u8', array: Uint8Array },
  i1: { dtype: 's8', array: Int8Array },
  u2: { dtype: 'u16', array: Uint16Array },
  i2: { dtype: 's16', array: Int16Array },
  i4: { dtype: 's32', array: Int32Array },
  i8: { dtype: 's64', array: BigInt64Array },
} as const;

interface Header {
  readonly type: (typeof types)[keyof typeof types];
  readonly shape: readonly number[];
  readonly dataOffset: number;
}

/**
 * Reads one array.
 * @param where the file's name, for errors
 * @throws ModelError `bad-npy` for anything but a dense little-endian array of numbers in C order
 */
export function readNpy(bytes: Uint8Array, where: string): NpyArray {
  const { type, shape, dataOffset } = readHeader(bytes, where);
  const count = shape.reduce((product, side) => product * side, 1);
  const size = count * type.array.BYTES_PER_ELEMENT;
  if (bytes.length - dataOffset !== size) {
    throw bad(where, `its header promises ${size} bytes, ${bytes.length - dataOffset} follow it`);
  }
  // A copy: the data of a view need not be aligned. (A Buffer's slice would be a view again.)
  const copy = Uint8Array.from(bytes.subarray(dataOffset));
  return { dtype: type.dtype, shape, data: new type.array(copy.buffer, 0, count) };
}

/** Writes one array as .npy version 1.0, its data aligned to 64 bytes. */
export function writeNpy(array: NpyArray): Uint8Array {
  const [name] = Object.entries(types).find(([, type]) => type.dtype === array.dtype)!;
  const order = array.data.BYTES_PER_ELEMENT === 1 ? '|' : '<';
  const shape = `(${array.shape.join(', ')}${array.shape.length === 1 ? ',' : ''})`;
  const facts = `{'descr': '${order}${name}', 'fortran_order': False, 'shape': ${shape}, }`;
  const padded = Math.ceil((10 + facts.length + 1) / 64) * 64;
  const header = facts.padEnd(padded - 11) + '\n';
  const bytes = new Uint8Array(padded + array.data.byteLength);
  bytes.set([...magic, 1, 0, header.length & 255, header.length >> 8]);
  bytes.set(new TextEncoder().encode(header), 10);
  const { buffer, byteOffset, byteLength } = array.data;
  bytes.set(new Uint8Array(buffer, byteOffset, byteLength), padded);
  return bytes;
}

function readHeader(bytes: Uint8Array, where: string): Header {
  if (bytes.length < 12 || magic.some((byte, i) => bytes[i] !== byte)) {
    throw bad(where, 'it does not begin like one');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = bytes[6]! > 1;
  const start = wide ? 12 : 10;
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  if (start + length > bytes.length) throw bad(where, 'its header is cut off');
  const text = new TextDecoder('latin1').decode(bytes.subarray(start, start + length));
  const descr = /'descr':\s*'([<>|=])([a-z]\d+)'/.exec(text);
  const order = /'fortran_order':\s*(True|False)/.exec(text)?.[1];
  const shape = /'shape':\s*\(([\d,\s]*)\)/.exec(text)?.[1];
  if (!descr || order === undefined || shape === undefined) {
    throw bad(where, 'its header is not that of a plain array of numbers');
  }
  const type = Object.hasOwn(types, descr[2]!) ? types[descr[2] as keyof typeof types] : undefined;
  if (!type) {
    const names = Object.keys(types).join(', ');
    throw bad(where, `type "${descr[2]!}" is not among ${names}; convert it with astype()`);
  }
  if (descr[1] === '>') {
    throw bad(where, "it is big-endian; convert it with astype('<" + descr[2]! + "')");
  }
  if (order === 'True') {
    throw bad(where, 'it is in Fortran order; save it with numpy.ascontiguousarray()');
  }
  const sides = shape.split(',').flatMap((side) => (side.trim() === '' ? [] : [Number(side)]));
  return { type, shape: sides, dataOffset: start + length };
}

function bad(where: string, reason: string): ModelError {
  return new ModelError('bad-npy', where, `not a readable .npy array: ${reason}`);
}
