// SPDX-License-Identifier: Apache-2.0
// Tables as data, and the FlatBuffer that holds them. The twin of flat-table.ts: fields are named by
// their number in the schema.
import { Builder, type Offset } from 'flatbuffers';

/** A field by its type in the schema; enumerations are bytes or 32-bit integers. */
type FlatField =
  | { readonly kind: 'byte' | 'int' | 'float'; readonly value: number }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'bytes'; readonly value: Uint8Array }
  | { readonly kind: 'ints' | 'floats' | 'longs'; readonly value: ArrayLike<number> }
  | { readonly kind: 'table'; readonly value: FlatFields }
  | { readonly kind: 'tables'; readonly value: readonly FlatFields[] };

/** The fields of a table by number; what is not there has the schema's default. */
export type FlatFields = Readonly<Record<number, FlatField>>;

/** Makes fields, one function for each type. */
export const field = {
  byte: (value: number): FlatField => ({ kind: 'byte', value }),
  int: (value: number): FlatField => ({ kind: 'int', value }),
  float: (value: number): FlatField => ({ kind: 'float', value }),
  bool: (value: boolean): FlatField => ({ kind: 'bool', value }),
  text: (value: string): FlatField => ({ kind: 'text', value }),
  bytes: (value: Uint8Array): FlatField => ({ kind: 'bytes', value }),
  ints: (value: ArrayLike<number>): FlatField => ({ kind: 'ints', value }),
  floats: (value: ArrayLike<number>): FlatField => ({ kind: 'floats', value }),
  longs: (value: ArrayLike<number>): FlatField => ({ kind: 'longs', value }),
  table: (value: FlatFields): FlatField => ({ kind: 'table', value }),
  tables: (value: readonly FlatFields[]): FlatField => ({ kind: 'tables', value }),
} as const;

/** The runtimes read weights in place; the schema demands this alignment of their bytes. */
const byteAlignment = 16;

/**
 * The bytes of a file.
 *
 * @param root its outermost table
 * @param identifier the four characters at byte 4
 */
export function encodeFlat(root: FlatFields, identifier: string): Uint8Array {
  const builder = new Builder(65536);
  // A field that is given is written, even where it equals its default.
  builder.forceDefaults(true);
  builder.finish(writeTable(builder, root), identifier);
  return builder.asUint8Array().slice();
}

function writeTable(builder: Builder, fields: FlatFields): Offset {
  const numbered = Object.entries(fields).map(([slot, one]) => [Number(slot), one] as const);
  // What a table points to has to be complete before the table is begun.
  const offsets = new Map(numbered.map(([slot, one]) => [slot, writeVector(builder, one)]));
  builder.startObject(Math.max(0, ...numbered.map(([slot]) => slot + 1)));
  for (const [slot, one] of numbered) {
    const offset = offsets.get(slot);
    if (offset !== undefined) builder.addFieldOffset(slot, offset, 0);
    else addScalar(builder, slot, one);
  }
  return builder.endObject();
}

function addScalar(builder: Builder, slot: number, { kind, value }: FlatField): void {
  if (kind === 'byte') builder.addFieldInt8(slot, value, 0);
  else if (kind === 'int') builder.addFieldInt32(slot, value, 0);
  else if (kind === 'float') builder.addFieldFloat32(slot, value, 0);
  else if (kind === 'bool') builder.addFieldInt8(slot, value ? 1 : 0, 0);
}

/** @returns where the field's vector, text or table begins; undefined for what stands in place */
function writeVector(builder: Builder, { kind, value }: FlatField): Offset | undefined {
  switch (kind) {
    case 'byte':
    case 'int':
    case 'float':
    case 'bool':
      return undefined;
    case 'text':
      return builder.createString(value);
    case 'bytes':
      builder.prep(byteAlignment, value.length);
      return builder.createByteVector(value);
    case 'ints':
      return vector(builder, 4, value, (one) => {
        builder.addInt32(one);
      });
    case 'floats':
      return vector(builder, 4, value, (one) => {
        builder.addFloat32(one);
      });
    case 'longs':
      return vector(builder, 8, value, (one) => {
        builder.addInt64(BigInt(one));
      });
    case 'table':
      return writeTable(builder, value);
    case 'tables': {
      const offsets = value.map((table) => writeTable(builder, table));
      return vector(builder, 4, offsets, (one) => {
        builder.addOffset(one);
      });
    }
  }
}

/** FlatBuffers grow from their end, so the last element is written first. */
function vector(
  builder: Builder,
  size: number,
  values: ArrayLike<number>,
  add: (value: number) => void,
): Offset {
  builder.startVector(size, values.length, size);
  for (let i = values.length - 1; i >= 0; --i) add(values[i]!);
  return builder.endVector();
}
