// SPDX-License-Identifier: Apache-2.0
// The only file that touches the protobuf library. Messages appear here as plain structural types,
// because the library's own declarations use a global `Long` that is not there. Its traps: 64-bit
// integers decode to Long objects, `raw_data` is a view into the file at any offset, enum numbers
// newer than its schema (INT4 is 22) pass through as numbers, unknown fields are dropped, and an
// empty buffer decodes to an empty model.
import { onnx } from 'onnx-proto';
import { ModelError } from '../../errors.js';
import type { Budget } from '../../limits/budget.js';
import { prescan } from './prescan.js';

/** A 64-bit integer as the library gives it. */
export type Int64 = number | { toNumber(): number };

interface EntryMessage {
  key?: string | null;
  value?: string | null;
}

export interface TensorMessage {
  name?: string | null;
  dims?: Int64[] | null;
  dataType?: number | null;
  rawData?: Uint8Array | null;
  floatData?: number[] | null;
  doubleData?: number[] | null;
  int32Data?: number[] | null;
  int64Data?: Int64[] | null;
  uint64Data?: Int64[] | null;
  externalData?: EntryMessage[] | null;
  dataLocation?: number | null;
  segment?: object | null;
}

export interface AttributeMessage {
  name?: string | null;
  type?: number | null;
  f?: number | null;
  i?: Int64 | null;
  s?: Uint8Array | null;
  t?: TensorMessage | null;
  floats?: number[] | null;
  ints?: Int64[] | null;
  strings?: Uint8Array[] | null;
  /** In the body of a function: the caller's attribute that stands here. */
  refAttrName?: string | null;
}

export interface NodeMessage {
  name?: string | null;
  opType?: string | null;
  domain?: string | null;
  input?: string[] | null;
  output?: string[] | null;
  attribute?: AttributeMessage[] | null;
}

export interface DimensionMessage {
  dimValue?: Int64 | null;
  dimParam?: string | null;
}

export interface ValueInfoMessage {
  name?: string | null;
  type?: {
    tensorType?: {
      elemType?: number | null;
      shape?: { dim?: DimensionMessage[] | null } | null;
    } | null;
  } | null;
}

export interface GraphMessage {
  name?: string | null;
  node?: NodeMessage[] | null;
  initializer?: TensorMessage[] | null;
  sparseInitializer?: unknown[] | null;
  input?: ValueInfoMessage[] | null;
  output?: ValueInfoMessage[] | null;
  valueInfo?: ValueInfoMessage[] | null;
}

export interface ModelMessage {
  irVersion?: Int64 | null;
  opsetImport?: { domain?: string | null; version?: Int64 | null }[] | null;
  producerName?: string | null;
  producerVersion?: string | null;
  metadataProps?: EntryMessage[] | null;
  graph?: GraphMessage | null;
  functions?: FunctionMessage[] | null;
}

/** Nodes that a file gives a name to. */
export interface FunctionMessage {
  name?: string | null;
  domain?: string | null;
  input?: string[] | null;
  output?: string[] | null;
  node?: NodeMessage[] | null;
}

/**
 * Bytes -> message, after the bounded scan. Byte fields are views of `bytes`.
 *
 * @param file named in errors
 * @throws ModelError for bytes that are no ONNX model; LimitError beyond the scan's bounds
 */
export function decodeMessage(bytes: Uint8Array, file: string, budget: Budget): ModelMessage {
  prescan(bytes, file, budget);
  try {
    return onnx.ModelProto.decode(bytes);
  } catch (error) {
    throw new ModelError('not-onnx', file, `expected an ONNX model: ${(error as Error).message}`);
  }
}

/** Message -> bytes. */
export function encodeMessage(message: ModelMessage): Uint8Array {
  return onnx.ModelProto.encode(message as unknown as onnx.IModelProto).finish();
}
