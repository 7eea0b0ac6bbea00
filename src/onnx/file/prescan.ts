// SPDX-License-Identifier: Apache-2.0
// Walks the protobuf wire format of an ONNX file before the protobuf library sees it. The library
// has no limit on nesting, takes a field's type from its number without looking at the wire type,
// and turns a few bytes into many objects; after this scan none of that can be used against us.
import { LimitError, ModelError } from '../../errors.js';
import { Budget } from '../../limits/budget.js';

/** Bounds of what a file may hold; generous for networks, small enough for memory. */
interface ScanLimits {
  /** Messages within messages. */
  readonly depth: number;
  /** Messages in all; one costs some hundred bytes once decoded. */
  readonly messages: number;
  /** Integers in all (dims, ints, int32_data, int64_data); one costs up to 50 bytes once decoded. */
  readonly integers: number;
}

/** What one of a kind costs once it is decoded, as measured (Node 20) and rounded up. */
const bytesOfDecoded = { message: 400, integer: 24, text: 64, real: 16 } as const;

const defaultScanLimits: ScanLimits = { depth: 64, messages: 2e6, integers: 3e7 };

/**
 * What a field holds: one integer, packed or repeated integers, a float, packed or repeated
 * floats or doubles, bytes or text, or a message by name.
 */
type Kind = 'int' | 'ints' | 'float' | 'floats' | 'doubles' | 'bytes' | MessageName;

type MessageName =
  | 'Model'
  | 'Graph'
  | 'Node'
  | 'Attribute'
  | 'Tensor'
  | 'Segment'
  | 'Sparse'
  | 'ValueInfo'
  | 'Type'
  | 'TensorType'
  | 'ElementType'
  | 'MapType'
  | 'Shape'
  | 'Dimension'
  | 'Entry'
  | 'Annotation'
  | 'Opset'
  | 'Training'
  | 'Function';

// Field numbers of onnx.proto (ONNX 1.10, the version that onnx-proto decodes).
const schema: Readonly<Record<MessageName, Readonly<Record<number, Kind>>>> = {
  Model: {
    ...{ 1: 'int', 8: 'Opset', 2: 'bytes', 3: 'bytes', 4: 'bytes', 5: 'int', 6: 'bytes' },
    ...{ 7: 'Graph', 14: 'Entry', 20: 'Training', 25: 'Function' },
  },
  Graph: {
    ...{ 1: 'Node', 2: 'bytes', 5: 'Tensor', 15: 'Sparse', 10: 'bytes' },
    ...{ 11: 'ValueInfo', 12: 'ValueInfo', 13: 'ValueInfo', 14: 'Annotation' },
  },
  Node: { 1: 'bytes', 2: 'bytes', 3: 'bytes', 4: 'bytes', 7: 'bytes', 5: 'Attribute', 6: 'bytes' },
  Attribute: {
    ...{ 1: 'bytes', 21: 'bytes', 13: 'bytes', 20: 'int', 2: 'float', 3: 'int', 4: 'bytes' },
    ...{ 5: 'Tensor', 6: 'Graph', 22: 'Sparse', 14: 'Type', 7: 'floats', 8: 'ints', 9: 'bytes' },
    ...{ 10: 'Tensor', 11: 'Graph', 23: 'Sparse', 15: 'Type' },
  },
  Tensor: {
    ...{ 1: 'ints', 2: 'int', 3: 'Segment', 4: 'floats', 5: 'ints', 6: 'bytes', 7: 'ints' },
    ...{ 8: 'bytes', 12: 'bytes', 9: 'bytes', 13: 'Entry', 14: 'int', 10: 'doubles', 11: 'ints' },
  },
  Segment: { 1: 'int', 2: 'int' },
  Sparse: { 1: 'Tensor', 2: 'Tensor', 3: 'ints' },
  ValueInfo: { 1: 'bytes', 2: 'Type', 3: 'bytes' },
  Type: {
    ...{ 1: 'TensorType', 4: 'ElementType', 5: 'MapType', 9: 'ElementType', 8: 'TensorType' },
    6: 'bytes',
  },
  TensorType: { 1: 'int', 2: 'Shape' },
  ElementType: { 1: 'Type' },
  MapType: { 1: 'int', 2: 'Type' },
  Shape: { 1: 'Dimension' },
  Dimension: { 1: 'int', 2: 'bytes', 3: 'bytes' },
  Entry: { 1: 'bytes', 2: 'bytes' },
  Annotation: { 1: 'bytes', 2: 'Entry' },
  Opset: { 1: 'bytes', 2: 'int' },
  Training: { 1: 'Graph', 2: 'Graph', 3: 'Entry', 4: 'Entry' },
  Function: {
    ...{ 1: 'bytes', 2: 'int', 3: 'int', 4: 'bytes', 5: 'bytes', 6: 'bytes', 7: 'Node' },
    ...{ 8: 'bytes', 9: 'Opset', 10: 'bytes' },
  },
};

/** Wire types that may carry each kind; a message is length-delimited (2), as bytes are. */
const wires: Readonly<Record<string, readonly number[]>> = {
  int: [0],
  ints: [0, 2],
  float: [5],
  floats: [5, 2],
  doubles: [1, 2],
};

class Scan {
  private messages = 0;
  private integers = 0;
  private texts = 0;
  private reals = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly file: string,
    private readonly limits: ScanLimits,
  ) {}

  message(name: MessageName, begin: number, end: number, depth: number): void {
    if (depth > this.limits.depth) this.tooLarge('levels of nesting', this.limits.depth);
    this.messages += 1;
    if (this.messages > this.limits.messages) this.tooLarge('messages', this.limits.messages);
    let at = begin;
    while (at < end) {
      const tag = this.varint(at, end);
      const wire = tag.value & 7;
      const kind = schema[name][tag.value >>> 3];
      const allowed = kind === undefined ? [0, 1, 2, 5] : (wires[kind] ?? [2]);
      if (tag.value >>> 3 === 0 || !allowed.includes(wire)) this.malformed(at);
      at = this.field(kind, wire, tag.next, end, depth);
    }
  }

  /** Bytes that the decoder's objects take; the elements of raw data stay where they are. */
  get decodedBytes(): number {
    const { message, integer, text, real } = bytesOfDecoded;
    return (
      this.messages * message + this.integers * integer + this.texts * text + this.reals * real
    );
  }

  /** Checks one field's payload, which starts at `at`; returns where the next field starts. */
  private field(kind: Kind | undefined, wire: number, at: number, end: number, depth: number) {
    if (wire === 0) {
      this.count(1);
      return this.varint(at, end).next;
    }
    if (wire !== 2) {
      const next = at + (wire === 1 ? 8 : 4);
      this.reals += 1;
      if (next > end) this.truncated(at, next - at);
      return next;
    }
    const length = this.varint(at, end);
    const next = length.next + length.value;
    if (next > end) this.truncated(at, length.value);
    if (kind === 'bytes') this.texts += 1;
    if (kind === 'ints') this.count(length.value);
    else if (kind === 'floats' || kind === 'doubles') {
      if (length.value % (kind === 'floats' ? 4 : 8) !== 0) this.malformed(at);
      this.reals += length.value / 4;
    } else if (kind !== undefined && kind in schema) {
      this.message(kind as MessageName, length.next, next, depth + 1);
    }
    return next;
  }

  /** The low 32 bits of a varint (lengths and tags never need more) and the offset behind it. */
  private varint(at: number, end: number): { value: number; next: number } {
    let value = 0;
    for (let i = 0; i < 10; i++) {
      if (at + i >= end) this.truncated(at, i + 1);
      const byte = this.bytes[at + i]!;
      if (i < 5) value += (byte & 127) * 2 ** (7 * i);
      if (byte < 128) return { value: value % 2 ** 32, next: at + i + 1 };
    }
    return this.malformed(at);
  }

  private count(integers: number): void {
    this.integers += integers;
    if (this.integers > this.limits.integers) this.tooLarge('integers', this.limits.integers);
  }

  private truncated(at: number, length: number): never {
    throw new ModelError(
      'truncated-model',
      this.file,
      `expected an ONNX model, got one whose field at byte ${at} needs ${length} bytes more than ` +
        `there are; the file is cut off or not ONNX: export or download it again`,
    );
  }

  private malformed(at: number): never {
    throw new ModelError(
      'not-onnx',
      this.file,
      `expected an ONNX model (protobuf), got bytes that are not one at offset ${at}; ` +
        `pass a .onnx file`,
    );
  }

  private tooLarge(what: string, limit: number): never {
    throw new LimitError(
      'model-too-large',
      this.file,
      `expected at most ${limit} ${what}; the file is damaged, or stores its weights as single ` +
        `numbers: export them as raw or external data`,
    );
  }
}

/**
 * Checks that `bytes` are a well-formed ModelProto within bounds.
 *
 * @param file named in errors
 * @throws ModelError `empty-file`, `truncated-model`, `not-onnx`; LimitError `model-too-large`
 */
export function prescan(
  bytes: Uint8Array,
  file: string,
  budget = new Budget(),
  limits = defaultScanLimits,
): void {
  if (bytes.length === 0) {
    throw new ModelError('empty-file', file, 'expected a model, got 0 bytes; get the file again');
  }
  const scan = new Scan(bytes, file, limits);
  scan.message('Model', 0, bytes.length, 0);
  budget.takeMemory(scan.decodedBytes, file, 'decoding its messages, names and numbers');
}
