// SPDX-License-Identifier: Apache-2.0
// Bounds-checked access to the tables of a FlatBuffer. The library's ByteBuffer reads whatever it
// is pointed at; here every offset is checked first, so that a truncated or hostile file ends in
// one ModelError.
import { ByteBuffer } from 'flatbuffers';
import { ModelError } from '../errors.js';
import { Budget } from '../limits/budget.js';

/**
 * Elements that may be read in all, per byte of the file: many fields may point at one vector, and
 * reading it for each of them must not take forever.
 */
const readsPerByte = 16;

/** At most, of memory: the object of a table, or a number. */
const bytesOfElement = 64;

/** A file being read. */
export class FlatFile {
  readonly buffer: ByteBuffer;
  private budget: number;

  constructor(
    readonly bytes: Uint8Array,
    readonly name: string,
    readonly memory = new Budget(),
  ) {
    this.buffer = new ByteBuffer(bytes);
    this.budget = readsPerByte * bytes.length + 65536;
  }

  /** The table that the file's first word points to. */
  root(): FlatTable {
    return new FlatTable(this, this.follow(0, 'root'));
  }

  /** @throws ModelError unless [position, position + length) lies in the file */
  check(position: number, length: number, what: string): void {
    const end = position + length;
    if (Number.isSafeInteger(end) && position >= 0 && length >= 0 && end <= this.bytes.length)
      return;
    throw this.damaged(`${what} lies outside the file's ${this.bytes.length} bytes`);
  }

  /** Pays for reading `count` elements. */
  spend(count: number, what: string): void {
    this.budget -= count;
    if (this.budget < 0) throw this.damaged(`${what} is repeated beyond reason`);
    this.memory.takeMemory(bytesOfElement * count, this.name, `reading ${what}`);
  }

  /** The position that the unsigned offset stored at `position` points to. */
  follow(position: number, what: string): number {
    this.check(position, 4, what);
    const target = position + this.buffer.readUint32(position);
    this.check(target, 4, what);
    return target;
  }

  damaged(detail: string): ModelError {
    return new ModelError('bad-tflite', this.name, `${detail}; the file is damaged, get it again`);
  }
}

/** One table; fields are named by their number in the schema. */
export class FlatTable {
  private readonly vtable: number;
  private readonly fields: number;

  constructor(
    private readonly file: FlatFile,
    private readonly position: number,
  ) {
    file.check(position, 4, 'a table');
    this.vtable = position - file.buffer.readInt32(position);
    file.check(this.vtable, 4, 'a vtable');
    const size = file.buffer.readUint16(this.vtable);
    file.check(this.vtable, Math.max(size, 4), 'a vtable');
    this.fields = (size - 4) >> 1;
  }

  /** Where a field's value or offset is stored; undefined where the file leaves it out. */
  private locate(field: number, bytes: number): number | undefined {
    if (field >= this.fields) return undefined;
    const offset = this.file.buffer.readUint16(this.vtable + 4 + 2 * field);
    if (offset === 0) return undefined;
    this.file.check(this.position + offset, bytes, `field ${field}`);
    return this.position + offset;
  }

  bool(field: number, fallback = false): boolean {
    const at = this.locate(field, 1);
    return at === undefined ? fallback : this.file.buffer.readUint8(at) !== 0;
  }

  int8(field: number, fallback = 0): number {
    const at = this.locate(field, 1);
    return at === undefined ? fallback : this.file.buffer.readInt8(at);
  }

  uint8(field: number, fallback = 0): number {
    const at = this.locate(field, 1);
    return at === undefined ? fallback : this.file.buffer.readUint8(at);
  }

  int32(field: number, fallback = 0): number {
    const at = this.locate(field, 4);
    return at === undefined ? fallback : this.file.buffer.readInt32(at);
  }

  uint32(field: number, fallback = 0): number {
    const at = this.locate(field, 4);
    return at === undefined ? fallback : this.file.buffer.readUint32(at);
  }

  float32(field: number, fallback = 0): number {
    const at = this.locate(field, 4);
    return at === undefined ? fallback : this.file.buffer.readFloat32(at);
  }

  /** An unsigned 64-bit field as a number; lengths and positions stay below 2^53. */
  uint64(field: number): number {
    const at = this.locate(field, 8);
    return at === undefined ? 0 : Number(this.file.buffer.readUint64(at));
  }

  has(field: number): boolean {
    return this.locate(field, 4) !== undefined;
  }

  table(field: number): FlatTable | undefined {
    const at = this.locate(field, 4);
    if (at === undefined) return undefined;
    this.file.spend(1, `table ${field}`);
    return new FlatTable(this.file, this.file.follow(at, `table ${field}`));
  }

  tables(field: number): readonly FlatTable[] {
    const vector = this.vector(field, 4);
    if (vector === undefined) return [];
    return Array.from({ length: vector.length }, (_, i) => {
      const at = vector.start + 4 * i;
      return new FlatTable(this.file, this.file.follow(at, `table ${i} of ${field}`));
    });
  }

  string(field: number): string {
    const bytes = this.bytes(field);
    if (bytes === undefined) return '';
    this.file.memory.takeMemory(3 * bytes.length, this.file.name, `text ${field}`);
    return Buffer.from(bytes).toString('utf8');
  }

  /** The bytes of a vector, not copied. */
  bytes(field: number): Uint8Array | undefined {
    const at = this.locate(field, 4);
    if (at === undefined) return undefined;
    const start = this.file.follow(at, `vector ${field}`);
    const length = this.file.buffer.readUint32(start);
    this.file.check(start + 4, length, `vector ${field}`);
    this.file.spend(1, `vector ${field}`);
    return this.file.bytes.subarray(start + 4, start + 4 + length);
  }

  int32s(field: number): readonly number[] {
    return this.elements(field, 4, (at) => this.file.buffer.readInt32(at));
  }

  float32s(field: number): readonly number[] {
    return this.elements(field, 4, (at) => this.file.buffer.readFloat32(at));
  }

  int64s(field: number): readonly number[] {
    return this.elements(field, 8, (at) => Number(this.file.buffer.readInt64(at)));
  }

  private elements(field: number, size: number, read: (at: number) => number): readonly number[] {
    const vector = this.vector(field, size);
    if (vector === undefined) return [];
    return Array.from({ length: vector.length }, (_, i) => read(vector.start + size * i));
  }

  private vector(field: number, size: number) {
    const at = this.locate(field, 4);
    if (at === undefined) return undefined;
    const start = this.file.follow(at, `vector ${field}`);
    const length = this.file.buffer.readUint32(start);
    this.file.check(start + 4, length * size, `vector ${field}`);
    this.file.spend(length, `vector ${field}`);
    return { start: start + 4, length };
  }
}
