// SPDX-License-Identifier: Apache-2.0
// The elements of the byte layout in NOTES.md: little-endian, everything at a multiple of 4.
import { ModelError } from '../errors.js';

type Elements =
  | Uint8Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array;

type ArrayType =
  | typeof Uint8Array
  | typeof Int8Array
  | typeof Int16Array
  | typeof Int32Array
  | typeof Uint32Array
  | typeof Float32Array
  | typeof Float64Array
  | typeof BigInt64Array;

/** Builds a file front to back. */
export class ByteWriter {
  private readonly parts: Uint8Array[] = [];
  /** Bytes written so far. */
  length = 0;

  bytes(part: Uint8Array): void {
    this.parts.push(part);
    this.length += part.length;
  }

  u32(...values: number[]): void {
    this.words(values, (buffer, value, at) => buffer.writeUInt32LE(value, at));
  }

  i32(...values: number[]): void {
    this.words(values, (buffer, value, at) => buffer.writeInt32LE(value, at));
  }

  f32(...values: number[]): void {
    this.words(values, (buffer, value, at) => buffer.writeFloatLE(value, at));
  }

  private words(
    values: readonly number[],
    write: (buffer: Buffer, value: number, at: number) => void,
  ): void {
    const part = Buffer.alloc(4 * values.length);
    values.forEach((value, i) => {
      write(part, value, 4 * i);
    });
    this.bytes(part);
  }

  str(text: string): void {
    this.counted(Buffer.from(text, 'utf8'), 1);
  }

  /** `T[]`: count, elements, padding. */
  array(values: Elements): void {
    const { buffer, byteOffset, byteLength, BYTES_PER_ELEMENT } = values;
    const elements = new Uint8Array(buffer, byteOffset, byteLength);
    this.counted(
      bigEndianHost ? swapped(elements, BYTES_PER_ELEMENT) : elements,
      BYTES_PER_ELEMENT,
    );
  }

  private counted(elements: Uint8Array, size: number): void {
    this.u32(elements.length / size);
    this.bytes(elements);
    this.bytes(Buffer.alloc(-elements.length & 3));
  }

  finish(): Buffer {
    return Buffer.concat(this.parts);
  }
}

/** Reads a file front to back; never beyond its end. */
export class ByteReader {
  /** Offset of the next byte. */
  offset = 0;

  constructor(private readonly data: Buffer) {}

  /** @throws ModelError naming the offset */
  fail(detail: string): never {
    throw new ModelError(
      'invalid-program',
      `byte ${this.offset}`,
      `${detail}; the file is damaged or no .lbp program, make it again`,
    );
  }

  get remaining(): number {
    return this.data.length - this.offset;
  }

  bytes(count: number): Buffer {
    if (count > this.remaining) this.fail(`expected ${count} more bytes, got ${this.remaining}`);
    const part = this.data.subarray(this.offset, this.offset + count);
    this.offset += count;
    return part;
  }

  u32(): number {
    return this.bytes(4).readUInt32LE();
  }

  i32(): number {
    return this.bytes(4).readInt32LE();
  }

  f32(): number {
    return this.bytes(4).readFloatLE();
  }

  u32s(count: number): number[] {
    return Array.from({ length: count }, () => this.u32());
  }

  str(): string {
    const bytes = this.counted(1);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return this.fail('expected UTF-8 text');
    }
  }

  array<T extends ArrayType>(type: T): InstanceType<T> {
    const elements = this.counted(type.BYTES_PER_ELEMENT);
    const own = bigEndianHost
      ? swapped(elements, type.BYTES_PER_ELEMENT)
      : Uint8Array.from(elements);
    return new type(
      own.buffer,
      own.byteOffset,
      own.length / type.BYTES_PER_ELEMENT,
    ) as InstanceType<T>;
  }

  /** How many items follow that take at least `least` bytes each. */
  count(least: number): number {
    const count = this.u32();
    if (count * least > this.remaining) {
      this.fail(`expected ${count} items of at least ${least} bytes, got ${this.remaining} bytes`);
    }
    return count;
  }

  private counted(size: number): Buffer {
    const elements = this.bytes(this.u32() * size);
    const padding = this.bytes(-elements.length & 3);
    if (padding.some((byte) => byte !== 0)) this.fail('expected zero bytes as padding');
    return elements;
  }
}

const bigEndianHost = new Uint8Array(Uint16Array.of(1).buffer)[0] === 0;

function swapped(elements: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(elements.length);
  elements.forEach((byte, i) => {
    copy[i - (i % size) + size - 1 - (i % size)] = byte;
  });
  return copy;
}
