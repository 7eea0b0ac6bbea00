// SPDX-License-Identifier: Apache-2.0
// Two loaders, one format: whatever bytes of a program are damaged, TypeScript and C++ accept the
// same files and refuse the same files.
import { crc32 } from 'node:zlib';
import { ModelError } from '../../src/errors.js';
import { native } from '../../src/engine/native.js';
import { decode } from '../../src/program/decode.js';
import { encode } from '../../src/program/encode.js';
import type { Op } from '../../src/program/program.js';
import { Random } from '../program/random.js';
import { randomProgram } from '../program/random-program.js';

const headerBytes = 16;

/** One to three words, bytes or 64-bit numbers replaced behind the header, under a right checksum. */
function damaged(bytes: Uint8Array, random: Random): Uint8Array {
  const file = Buffer.from(bytes);
  for (let n = random.pick([1, 1, 1, 2, 3]); n > 0; --n) {
    const word = headerBytes + 4 * random.integer(0, (file.length - headerBytes) / 4 - 1);
    switch (random.pick(['byte', 'word', 'word', 'near', 'near', 'long'] as const)) {
      case 'byte':
        file[word + random.integer(0, 3)] = random.integer(0, 255);
        break;
      case 'word':
        file.writeUInt32LE(random.pick([0, 1, 2, 64, 65535, 2 ** 31, 2 ** 32 - 1]), word);
        break;
      case 'near':
        file.writeInt32LE((file.readInt32LE(word) + random.integer(-2, 2)) | 0, word);
        break;
      case 'long':
        if (word + 8 <= file.length) {
          const power = 1n << BigInt(random.integer(30, 62));
          file.writeBigInt64LE(random.chance(0.5) ? -power : power + 1n, word);
        }
        break;
    }
  }
  file.writeUInt32LE(crc32(file.subarray(headerBytes)), 12);
  return Uint8Array.from(file);
}

/** What a loader says against a file; undefined if nothing. */
function refusal(load: () => void): string | undefined {
  try {
    load();
    return undefined;
  } catch (error) {
    const { message, offset } = error as Error & { offset?: number };
    if (error instanceof ModelError || offset !== undefined) return message;
    throw error;
  }
}

const rich: readonly Op['op'][] = ['conv', 'conv', 'add', 'add', 'mul', 'averagePool'];
const times = Number(process.env.LASTBIT_SEEDS ?? 1);

test('both accept or both refuse 2000 damaged programs', () => {
  const random = new Random(2024);
  const { Engine } = native();
  const count = { accepted: 0, refused: 0 };
  for (let seed = 1; seed <= 100 * times; ++seed) {
    const program = randomProgram(5000 + seed, {
      length: 2,
      ...(random.chance(0.7) ? { ops: rich } : {}),
    });
    const bytes = encode(program);
    for (let round = 0; round < 20; ++round) {
      const file = damaged(bytes, random);
      const reference = random.chance(0.5);
      const first = refusal(() => decode(file));
      const second = refusal(() => {
        new Engine(file, 1, '', reference).close();
      });
      if ((first === undefined) !== (second === undefined)) {
        throw new Error(`seed ${seed}, round ${round}: TypeScript ${first}; C++ ${second}`);
      }
      ++count[first === undefined ? 'accepted' : 'refused'];
    }
  }
  expect(count.refused).toBeGreaterThan(300 * times);
  expect(count.accepted).toBeGreaterThan(300 * times);
});
