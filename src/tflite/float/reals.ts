// SPDX-License-Identifier: Apache-2.0
import { codesOf } from '../ops/state.js';
import type { TfliteTensor } from '../reader.js';

/** The numbers of a constant tensor: float32 and float16 as stored, codes by their scales. */
export function realsOf(tensor: TfliteTensor): Float32Array {
  const bytes = tensor.data!;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = tensor.shape.reduce((product, size) => product * size, 1);
  if (tensor.type === 'f32') {
    return Float32Array.from({ length: count }, (_, i) => view.getFloat32(4 * i, true));
  }
  if (tensor.type === 'f16') {
    return Float32Array.from({ length: count }, (_, i) => fromHalf(view.getUint16(2 * i, true)));
  }
  return dequantized(tensor);
}

/** IEEE 754 binary16. */
function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function dequantized(tensor: TfliteTensor): Float32Array {
  const codes = codesOf(tensor);
  const { quantization, shape } = tensor;
  if (quantization === undefined) return Float32Array.from(codes);
  const { scales, zeroPoints, axis } = quantization;
  const inner = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  const channelOf = (i: number) =>
    scales.length === 1 ? 0 : Math.floor(i / inner) % (shape[axis] ?? 1);
  return Float32Array.from(codes, (code, i) => {
    const c = channelOf(i);
    return (code - (zeroPoints[zeroPoints.length === 1 ? 0 : c] ?? 0)) * (scales[c] ?? 1);
  });
}
