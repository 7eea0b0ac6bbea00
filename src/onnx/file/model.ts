// SPDX-License-Identifier: Apache-2.0
// An ONNX file as plain data: what reader.ts makes of the protobuf message and encode.ts turns back
// into bytes. No type of the protobuf library appears here.

/** Element types of ONNX that a tensor can be read in; `s4` and `u4` came with opset 21. */
export type OnnxDType =
  | 'f32'
  | 'f64'
  | 'f16'
  | 'bf16'
  | 's64'
  | 's32'
  | 's16'
  | 's8'
  | 's4'
  | 'u64'
  | 'u32'
  | 'u16'
  | 'u8'
  | 'u4'
  | 'bool';

/**
 * Elements in row-major order, one array entry each:
 * f32, f16, bf16 -> Float32Array; f64, s64, u64 -> Float64Array (64-bit integers beyond 2^53 are
 * rounded; in networks only INT64_MAX as "to the end" is that large); u32 -> Uint32Array;
 * s32 -> Int32Array; u16 -> Uint16Array; s16 -> Int16Array; s8, s4 -> Int8Array;
 * u8, u4, bool -> Uint8Array.
 */
export type OnnxData =
  | Float32Array
  | Float64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

/** A constant; `data.length` is the product of `shape`. */
export interface OnnxTensor {
  readonly name: string;
  readonly dtype: OnnxDType;
  readonly shape: readonly number[];
  readonly data: OnnxData;
  /** Of s64, what is written instead of `data` where integers beyond 2^53 must be exact. */
  readonly exact?: BigInt64Array;
}

/**
 * A typed attribute. `other` stands for kinds that no supported operator has (graphs, sparse
 * tensors, types): they are kept so that an error can name them, and cannot be written.
 */
export type OnnxAttribute =
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'int'; readonly value: number }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'tensor'; readonly value: OnnxTensor }
  | { readonly type: 'floats'; readonly value: readonly number[] }
  | { readonly type: 'ints'; readonly value: readonly number[] }
  | { readonly type: 'strings'; readonly value: readonly string[] }
  | { readonly type: 'other'; readonly value: string };

export interface OnnxNode {
  /** May be empty: names are optional in ONNX. */
  readonly name: string;
  readonly op: string;
  /** Empty for the standard operators (`ai.onnx` is read as empty). */
  readonly domain: string;
  /** Value names; an absent optional input is the empty string. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, OnnxAttribute>;
}

/** A size, the name of a symbolic size, or undefined where the file says nothing. */
export type OnnxDim = number | string | undefined;

export interface OnnxValueInfo {
  readonly name: string;
  /** Absent where the file gives none, or a type that is not a tensor of a known element type. */
  readonly dtype?: OnnxDType;
  /** Absent where the file gives no shape. */
  readonly shape?: readonly OnnxDim[];
}

export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, OnnxTensor>;
  /** As in the file: before IR version 4 the initializers are listed here too. */
  readonly inputs: readonly OnnxValueInfo[];
  readonly outputs: readonly OnnxValueInfo[];
  readonly valueInfo: readonly OnnxValueInfo[];
}

export interface OnnxModel {
  readonly irVersion: number;
  /** Operator set versions by domain; the standard domain is the empty string. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly producer: { readonly name: string; readonly version: string };
  /** `metadata_props`. */
  readonly metadata: ReadonlyMap<string, string>;
  readonly graph: OnnxGraph;
}

/** Version of the standard operator set; 0 when the file imports none. */
export function opsetOf(model: OnnxModel): number {
  return model.opsets.get('') ?? 0;
}

/** The typed array class that holds elements of `dtype` (see {@link OnnxData}). */
export function arrayOf(dtype: OnnxDType): new (length: number) => OnnxData {
  switch (dtype) {
    case 'f32':
    case 'f16':
    case 'bf16':
      return Float32Array;
    case 'f64':
    case 's64':
    case 'u64':
      return Float64Array;
    case 's32':
      return Int32Array;
    case 'u32':
      return Uint32Array;
    case 's16':
      return Int16Array;
    case 'u16':
      return Uint16Array;
    case 's8':
    case 's4':
      return Int8Array;
    case 'u8':
    case 'u4':
    case 'bool':
      return Uint8Array;
  }
}

/** Bits that one element takes in a file. */
export function bitsOf(dtype: OnnxDType): number {
  return dtype === 'bool' ? 8 : Number(dtype.replace(/^\D+/, ''));
}

/** Number of elements of a shape; 1 for a scalar. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
