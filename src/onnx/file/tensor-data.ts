// SPDX-License-Identifier: Apache-2.0
// Element data between a file's bytes and typed arrays. ONNX stores little-endian; four-bit
// elements lie two to a byte, the first in the low half.
import { type OnnxData, type OnnxDType, arrayOf, bitsOf } from './model.js';

/** Bytes that `count` elements take in a file. */
export function byteLength(dtype: OnnxDType, count: number): number {
  return Math.ceil((count * bitsOf(dtype)) / 8);
}

/**
 * Little-endian bytes -> elements. The result shares nothing with `bytes`.
 *
 * @param bytes exactly `byteLength(dtype, count)` of them, at any alignment
 */
export function decodeData(dtype: OnnxDType, count: number, bytes: Uint8Array): OnnxData {
  // A copy: views into a file start at odd offsets, where typed arrays cannot.
  const copy = new Uint8Array(bytes);
  const view = new DataView(copy.buffer);
  switch (dtype) {
    case 'f32':
      return new Float32Array(copy.buffer);
    case 'f64':
      return new Float64Array(copy.buffer);
    case 's32':
      return new Int32Array(copy.buffer);
    case 'u32':
      return new Uint32Array(copy.buffer);
    case 's16':
      return new Int16Array(copy.buffer);
    case 'u16':
      return new Uint16Array(copy.buffer);
    case 's8':
      return new Int8Array(copy.buffer);
    case 'u8':
    case 'bool':
      return copy;
    case 's64':
      return Float64Array.from({ length: count }, (_, i) => Number(view.getBigInt64(8 * i, true)));
    case 'u64':
      return Float64Array.from({ length: count }, (_, i) => Number(view.getBigUint64(8 * i, true)));
    case 'f16':
      return Float32Array.from({ length: count }, (_, i) => fromHalf(view.getUint16(2 * i, true)));
    case 'bf16':
      return Float32Array.from({ length: count }, (_, i) =>
        fromBits(view.getUint16(2 * i, true) << 16),
      );
    case 's4':
      return Int8Array.from({ length: count }, (_, i) => (nibble(copy, i) << 28) >> 28);
    case 'u4':
      return Uint8Array.from({ length: count }, (_, i) => nibble(copy, i));
  }
}

/** Elements -> little-endian bytes; the inverse of {@link decodeData}. */
export function encodeData(dtype: OnnxDType, data: OnnxData): Uint8Array {
  const bytes = new Uint8Array(byteLength(dtype, data.length));
  const view = new DataView(bytes.buffer);
  switch (dtype) {
    case 's64':
      data.forEach((value, i) => {
        // 2^63 stands for INT64_MAX, "to the end": it was rounded when it was read.
        view.setBigInt64(8 * i, value >= 2 ** 63 ? 2n ** 63n - 1n : BigInt(value), true);
      });
      return bytes;
    case 'u64':
      data.forEach((value, i) => {
        view.setBigUint64(8 * i, value >= 2 ** 64 ? 2n ** 64n - 1n : BigInt(value), true);
      });
      return bytes;
    case 's4':
    case 'u4':
      data.forEach((value, i) => {
        bytes[i >> 1]! |= (value & 15) << (4 * (i & 1));
      });
      return bytes;
    case 'f16':
    case 'bf16':
      throw new RangeError(`tensors of ${dtype} are read, not written`);
    case 'f32':
    case 'f64':
    case 's32':
    case 'u32':
    case 's16':
    case 'u16':
    case 's8':
    case 'u8':
    case 'bool': {
      const same = arrayOf(dtype);
      const source = data instanceof same ? data : new same(data.length);
      if (source !== data) source.set(data);
      bytes.set(new Uint8Array(source.buffer, source.byteOffset, source.byteLength));
      return bytes;
    }
  }
}

function nibble(bytes: Uint8Array, i: number): number {
  return (bytes[i >> 1]! >> (4 * (i & 1))) & 15;
}

/** The float32 whose bit pattern is `bits`. */
function fromBits(bits: number): number {
  return new Float32Array(Int32Array.of(bits).buffer)[0]!;
}

/** IEEE 754 binary16 -> number. */
export function fromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
