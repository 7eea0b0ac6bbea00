// SPDX-License-Identifier: Apache-2.0
// Truncated and changed .tflite files end in a graph or one ModelError, soon. LASTBIT_FULL=1 tries
// 10,000 of them instead of 400.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ModelError } from '../../src/errors.js';
import { importTflite } from '../../src/tflite/import.js';

const folder = join(__dirname, '../golden/nets');
const tries = process.env.LASTBIT_FULL === '1' ? 10_000 : 400;

function originals(): readonly Uint8Array[] {
  const models = readFileSync(join(folder, 'models.bin'));
  const { cases } = JSON.parse(readFileSync(join(folder, 'goldens.json'), 'utf8')) as {
    readonly cases: Record<string, { readonly offset: number; readonly length: number }>;
  };
  return ['edgetpu-s8', 'v3-spelled-u8', 'branches-s8', 'v3-s4'].map((name) => {
    const { offset, length } = cases[name]!;
    return models.subarray(offset, offset + length);
  });
}

function generator(seed: number) {
  let state = seed;
  return (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Cut somewhere, or with up to 16 bytes changed, near the start or among the tables at the end. */
function mutant(original: Uint8Array, random: (below: number) => number): Uint8Array {
  const kind = random(4);
  if (kind === 0) return original.slice(0, random(original.length));
  const bytes = Uint8Array.from(original);
  for (let left = 1 + random(kind === 1 ? 1 : 16); left > 0; --left) {
    const at =
      kind === 3
        ? random(Math.min(bytes.length, 4000))
        : bytes.length - 1 - random(Math.min(bytes.length, 16000));
    const value = [bytes[at]! ^ (1 << random(8)), [0, 255, 127, 128][random(4)]!, random(256)];
    bytes[at] = value[random(3)]!;
  }
  return bytes;
}

test(`${tries} mutants of four networks`, () => {
  const files = originals();
  const random = generator(12345);
  let refused = 0;
  let slowest = 0;
  for (let i = 0; i < tries; ++i) {
    const bytes = mutant(files[i % files.length]!, random);
    const start = performance.now();
    try {
      importTflite(bytes, 'mutant');
    } catch (error) {
      expect(error).toBeInstanceOf(ModelError);
      expect((error as ModelError).message).not.toMatch(/undefined|\[object/);
      ++refused;
    }
    slowest = Math.max(slowest, performance.now() - start);
  }
  expect(refused).toBeGreaterThan(tries / 2);
  expect(slowest).toBeLessThan(10_000);
});
