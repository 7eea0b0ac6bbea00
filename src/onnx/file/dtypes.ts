// SPDX-License-Identifier: Apache-2.0
import type { OnnxDType } from './model.js';

// TensorProto.DataType of onnx.proto; 21 and 22 are newer than the library's schema.
const numbers: readonly (readonly [number, OnnxDType])[] = [
  [1, 'f32'],
  [2, 'u8'],
  [3, 's8'],
  [4, 'u16'],
  [5, 's16'],
  [6, 's32'],
  [7, 's64'],
  [9, 'bool'],
  [10, 'f16'],
  [11, 'f64'],
  [12, 'u32'],
  [13, 'u64'],
  [16, 'bf16'],
  [21, 'u4'],
  [22, 's4'],
];

const byNumber = new Map(numbers);
const byName = new Map(numbers.map(([number, name]) => [name, number]));

/** `TensorProto.DataType` -> element type; undefined for text, complex and 8-bit float types. */
export function dtypeOf(dataType: number): OnnxDType | undefined {
  return byNumber.get(dataType);
}

/** Element type -> `TensorProto.DataType`. */
export function dataTypeOf(dtype: OnnxDType): number {
  return byName.get(dtype)!;
}
