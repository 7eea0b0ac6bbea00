// SPDX-License-Identifier: Apache-2.0
// Arrays as the files that testbenches, scripts and firmware read.
import { writeNpy } from '../data/index.js';
import { UsageError } from '../errors.js';
import { roles, type GoldenArray, type Role } from './array.js';
import { arranged, checkLayouts, type Arranged, type Layouts } from './layout.js';
import { hexWords, type WordFormat } from './words.js';

/** npy: NumPy; bin: raw numbers; mem: $readmemh; h: a C header. */
export const vectorFormats = ['npy', 'bin', 'mem', 'h'] as const;

export type VectorFormat = (typeof vectorFormats)[number];

/** How arrays become files. */
export interface VectorSettings {
  readonly formats: readonly VectorFormat[];
  readonly layouts: Layouts;
  /** Byte order of .bin. */
  readonly endian: 'little' | 'big';
  /** Bits of a word of .mem; absent: one number a word. */
  readonly wordBits?: number | undefined;
  readonly laneOrder: WordFormat['laneOrder'];
  /** Bits of a number in .mem by role; absent: those of its type, or of the target's register. */
  readonly widths: Readonly<Partial<Record<Role, number>>>;
}

/** One file of an array. */
export interface VectorFile {
  readonly name: string;
  readonly format: VectorFormat;
  readonly content: Uint8Array | string;
  readonly axes: string;
  readonly shape: readonly number[];
  readonly word?: WordFormat;
}

/** @throws UsageError for a layout or a role that does not exist */
export function checkSettings({ layouts, widths }: VectorSettings): void {
  checkLayouts(layouts);
  for (const role of Object.keys(widths)) {
    if (roles.some((known) => known === role)) continue;
    throw new UsageError(
      'unknown-role',
      '--widths',
      `expected one of ${roles.join(', ')}, got "${role}"`,
    );
  }
}

/**
 * An array in every format that is asked for.
 *
 * NumPy files keep the array's own axes, which readers of arrays expect; the layout is that of the
 * others, which are memories.
 * @param where layer and array, for errors
 * @throws UsageError where a word or a width does not hold the numbers
 */
export function filesOf(
  array: GoldenArray,
  settings: VectorSettings,
  where: string,
): readonly VectorFile[] {
  const { axes, shape, data, dtype } = array;
  const memory = arranged(array, settings.layouts);
  return settings.formats.map((format): VectorFile => {
    const name = `${array.name}.${format}`;
    switch (format) {
      case 'npy':
        return { name, format, content: writeNpy({ dtype, shape, data }), axes, shape };
      case 'bin':
        return { ...placed(name, format, memory), content: raw(memory, settings.endian) };
      case 'mem': {
        const word = wordFormat(array, settings);
        const head = `// ${where}: ${memory.axes} [${memory.shape.join(', ')}] ${dtype}\n`;
        return {
          ...placed(name, format, memory),
          content: head + hexWords(memory.data, word, where),
          word,
        };
      }
      case 'h':
        return { ...placed(name, format, memory), content: header(array, memory, where) };
    }
  });
}

function placed(name: string, format: VectorFormat, { axes, shape }: Arranged) {
  return { name, format, axes, shape } as const;
}

function wordFormat(
  array: GoldenArray,
  { widths, wordBits, laneOrder }: VectorSettings,
): WordFormat {
  const width = widths[array.role] ?? array.bits;
  return { width, wordBits: wordBits ?? width, laneOrder };
}

function raw({ data }: Arranged, endian: 'little' | 'big'): Uint8Array {
  const bytes = Buffer.from(
    Uint8Array.from(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
  );
  if (endian === 'little' || data.BYTES_PER_ELEMENT === 1) return bytes;
  const swap = { 2: 'swap16', 4: 'swap32', 8: 'swap64' } as const;
  return bytes[swap[data.BYTES_PER_ELEMENT as 2 | 4 | 8]]();
}

const cTypes = {
  ...{ u8: 'uint8_t', s8: 'int8_t', u16: 'uint16_t', s16: 'int16_t', s32: 'int32_t' },
  ...{ s64: 'int64_t', f32: 'float', f64: 'double' },
} as const;

const perLine = 16;

/** A C header with one array, its type, its axes and their sizes. */
function header(array: GoldenArray, { axes, shape, data }: Arranged, where: string): string {
  const identifier = `lastbit_${array.name.replace(/\W/g, '_')}`;
  const literal = literals(array.dtype);
  const lines = Array.from({ length: Math.ceil(data.length / perLine) }, (_, line) => {
    const part = data.subarray(line * perLine, (line + 1) * perLine);
    return `  ${Array.from<number | bigint, string>(part as ArrayLike<number | bigint>, literal).join(', ')},\n`;
  });
  return [
    `// ${where}: ${axes} [${shape.join(', ')}]\n`,
    `#ifndef ${identifier.toUpperCase()}_H\n#define ${identifier.toUpperCase()}_H\n`,
    `#include <stdint.h>\n\n`,
    `#define ${identifier.toUpperCase()}_SIZE ${data.length}\n`,
    `static const ${cTypes[array.dtype]} ${identifier}[${data.length}] = {\n`,
    ...lines,
    `};\n\n#endif\n`,
  ].join('');
}

/** A number as C has it. */
function literals(dtype: GoldenArray['dtype']): (value: number | bigint) => string {
  if (dtype === 's64') return (value) => (value === -(2n ** 63n) ? 'INT64_MIN' : `${value}LL`);
  if (dtype === 's32') return (value) => (value === -(2 ** 31) ? 'INT32_MIN' : `${value}`);
  // 9 and 17 digits tell every float32 and float64 from its neighbours.
  if (dtype === 'f32') return (value) => `${Number(value).toExponential(8)}f`;
  if (dtype === 'f64') return (value) => Number(value).toExponential(16);
  return String;
}
