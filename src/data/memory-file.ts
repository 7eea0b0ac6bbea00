// SPDX-License-Identifier: Apache-2.0
// Memories as simulators read them (`$readmemh`, IEEE 1800-2023, 21.4): hexadecimal words, comments, and
// addresses behind @.
import { ModelError } from '../errors.js';

/** The words of a memory from address 0 on, and the bits that their digits make. */
export interface MemoryWords {
  readonly words: readonly bigint[];
  readonly bits: number;
}

/** Largest memory that is read: beyond that a wrong address would fill the machine. */
const greatestLength = 2 ** 26;

/**
 * @param file for messages
 * @throws ModelError `bad-memory` for what is no hexadecimal word, for holes, and for unknown digits (x, z)
 */
export function readMemory(text: string, file: string): MemoryWords {
  const words: bigint[] = [];
  let [address, digits] = [0, 1];
  const bare = text.replace(/\/\*[\s\S]*?\*\//g, ' ').replace(/\/\/.*/g, ' ');
  for (const token of bare.split(/\s+/).filter((part) => part !== '')) {
    if (/^@[0-9a-f]+$/i.test(token)) {
      address = Number.parseInt(token.slice(1), 16);
      continue;
    }
    const word = token.replace(/_/g, '');
    if (!/^[0-9a-f]+$/i.test(word)) throw bad(file, describe(token));
    if (address >= greatestLength) {
      throw bad(file, `address ${address} is beyond the ${greatestLength} words that are read`);
    }
    words[address++] = BigInt(`0x${word}`);
    digits = Math.max(digits, word.length);
  }
  for (let i = 0; i < words.length; i++) {
    if (words[i] === undefined) throw bad(file, `word ${i} is missing; write the memory whole`);
  }
  return { words, bits: 4 * digits };
}

function describe(token: string): string {
  const shown = JSON.stringify(token.slice(0, 40));
  return /^[0-9a-fxz_?]+$/i.test(token) && !/^0x[0-9a-f]+$/i.test(token)
    ? `the word ${shown} has digits that are unknown or not driven; let the simulation finish first`
    : `expected hexadecimal words as $readmemh reads them, got ${shown}`;
}

function bad(file: string, reason: string): ModelError {
  return new ModelError('bad-memory', file, reason);
}

/** Ways in which numbers lie in words. */
export const laneOrders = ['low-first', 'high-first'] as const;

export type LaneOrder = (typeof laneOrders)[number];

/**
 * Numbers of `width` bits, as many as a word holds.
 * @param signed whether they are in two's complement
 */
export function numbersOf(
  { words, bits }: MemoryWords,
  width: number,
  signed: boolean,
  order: LaneOrder,
): Float64Array {
  const lanes = Math.max(1, Math.floor(bits / width));
  const numbers = new Float64Array(words.length * lanes);
  const mask = (1n << BigInt(width)) - 1n;
  words.forEach((word, i) => {
    for (let lane = 0; lane < lanes; lane++) {
      const place = order === 'low-first' ? lane : lanes - 1 - lane;
      const raw = (word >> BigInt(place * width)) & mask;
      numbers[i * lanes + lane] = Number(signed ? BigInt.asIntN(width, raw) : raw);
    }
  });
  return numbers;
}
