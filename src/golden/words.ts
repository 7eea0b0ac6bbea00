// SPDX-License-Identifier: Apache-2.0
// Numbers as words of a memory: two's complement, several lanes a word.
import { UsageError } from '../errors.js';
import type { GoldenArray } from './array.js';

/** How numbers lie in the words of a memory. */
export interface WordFormat {
  /** Bits of one number. */
  readonly width: number;
  /** Bits of a word; the lanes that fit are used, what is left above them is 0. */
  readonly wordBits: number;
  /** Whether the first number stands in the lowest bits or in the highest lane. */
  readonly laneOrder: 'low-first' | 'high-first';
}

/** @throws UsageError where a word does not hold one number */
function lanesOf({ width, wordBits }: WordFormat, where: string): number {
  const lanes = Math.floor(wordBits / width);
  if (lanes >= 1) return lanes;
  throw new UsageError(
    'narrow-word',
    where,
    `a word of ${wordBits} bits does not hold a number of ${width}; give --word-bits ${width} or more`,
  );
}

/**
 * Refuses numbers that a width does not hold.
 * @throws UsageError `narrow-width`, with the first such number
 */
function checkWidth(data: GoldenArray['data'], width: number, where: string): void {
  const integers = bitsOf(data);
  if (width === 8 * integers.BYTES_PER_ELEMENT) return;
  const [min, max] = isSigned(integers)
    ? [-(2n ** BigInt(width - 1)), 2n ** BigInt(width - 1) - 1n]
    : [0n, 2n ** BigInt(width) - 1n];
  for (let i = 0; i < integers.length; i++) {
    const value = BigInt(integers[i]!);
    if (value >= min && value <= max) continue;
    throw new UsageError(
      'narrow-width',
      where,
      `${width} bits hold ${min} to ${max}, number ${i} is ${value}; give more bits`,
    );
  }
}

function isSigned(data: ReturnType<typeof bitsOf>): boolean {
  return (
    data instanceof Int8Array ||
    data instanceof Int16Array ||
    data instanceof Int32Array ||
    data instanceof BigInt64Array
  );
}

/** Floats as the integers of their bits, other numbers as they are. */
function bitsOf(data: GoldenArray['data']) {
  const { buffer, byteOffset, length } = data;
  if (data instanceof Float32Array) return new Uint32Array(buffer, byteOffset, length);
  if (data instanceof Float64Array) return new BigUint64Array(buffer, byteOffset, length);
  return data;
}

/** The words of an array as hexadecimal digits, one a line, most significant first. */
export function hexWords(data: GoldenArray['data'], format: WordFormat, where: string): string {
  const lanes = lanesOf(format, where);
  checkWidth(data, format.width, where);
  const digits = Math.ceil(format.wordBits / 4);
  return isBytewise(data, format, lanes)
    ? bytewise(data, lanes, format)
    : bitwise(data, lanes, format)
        .map((word) => word.toString(16).padStart(digits, '0'))
        .join('\n') + '\n';
}

function isBytewise(
  data: GoldenArray['data'],
  { width, wordBits }: WordFormat,
  lanes: number,
): boolean {
  return width === 8 * data.BYTES_PER_ELEMENT && wordBits === lanes * width;
}

/** Where numbers fill their lanes and lanes their word, words are bytes in another order. */
function bytewise(data: GoldenArray['data'], lanes: number, { laneOrder }: WordFormat): string {
  const size = data.BYTES_PER_ELEMENT;
  const words = Math.ceil(data.length / lanes);
  const bytes = Buffer.alloc(words * lanes * size);
  const own = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  for (let i = 0; i < data.length; i++) {
    const [word, lane] = [Math.floor(i / lanes), i % lanes];
    const place = laneOrder === 'low-first' ? lanes - 1 - lane : lane;
    const at = (word * lanes + place) * size;
    for (let b = 0; b < size; b++) bytes[at + b] = own[i * size + size - 1 - b]!;
  }
  const perWord = lanes * size;
  const lines = Array.from({ length: words }, (_, i) =>
    bytes.toString('hex', i * perWord, (i + 1) * perWord),
  );
  return `${lines.join('\n')}\n`;
}

function bitwise(
  data: GoldenArray['data'],
  lanes: number,
  { width, laneOrder }: WordFormat,
): bigint[] {
  const integers = bitsOf(data);
  return Array.from({ length: Math.ceil(data.length / lanes) }, (_, index) => {
    let word = 0n;
    for (let lane = 0; lane < lanes && index * lanes + lane < data.length; lane++) {
      const pattern = BigInt.asUintN(width, BigInt(integers[index * lanes + lane]!));
      const place = laneOrder === 'low-first' ? lane : lanes - 1 - lane;
      word |= pattern << BigInt(place * width);
    }
    return word;
  });
}
