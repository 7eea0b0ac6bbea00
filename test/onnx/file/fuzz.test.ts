// SPDX-License-Identifier: Apache-2.0
// Truncated and changed ONNX files, float, QDQ and QOperator, end in a graph or one ModelError, soon.
// LASTBIT_FULL=1 tries 5,000 of them instead of 250.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ModelError } from '../../../src/errors.js';
import { readOnnx } from '../../../src/onnx/file/reader.js';
import { importOnnx } from '../../../src/onnx/float/import.js';
import { importQuantized, quantizationState } from '../../../src/onnx/quantized/import.js';
import { canonicalize } from '../../../src/passes/index.js';
import { lower } from '../../../src/program/lower.js';
import { findTarget } from '../../../src/targets/index.js';

const tries = process.env.LASTBIT_FULL === '1' ? 5000 : 250;

interface Place {
  readonly offset: number;
  readonly length: number;
}

/** Some networks of a golden folder. */
function filesOf(folder: string, names: readonly string[]): readonly Uint8Array[] {
  const at = join(__dirname, '../../golden', folder);
  const bin = readFileSync(join(at, 'models.bin'));
  const { models } = JSON.parse(readFileSync(join(at, 'index.json'), 'utf8')) as {
    readonly models: Record<string, Place | { readonly model: Place }>;
  };
  return names.map((name) => {
    const entry = models[name]!;
    const { offset, length } = 'model' in entry ? entry.model : entry;
    return bin.subarray(offset, offset + length);
  });
}

const originals = [
  ...filesOf('exports', ['torch-v3-nodes-16', 'torch-v2-10', 'keras-v1-per-channel']),
  ...filesOf('exports', ['weight-only-blocks', 'flatten-chain', 'pad-first-value']),
  ...filesOf('exports-quantized', ['v3-sigmoid-qdq', 'keras-v1-qdq', 'timm-qdq', 'normalize-qdq']),
  ...filesOf('exports-quantized', ['v3-qop', 'v2-qop', 'v2-dynamic', 'v3-qdq-s4']),
];

function generator(seed: number) {
  let state = seed;
  return (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Cut somewhere, or with up to 8 bytes changed: anywhere, or in names and attributes of nodes. */
function mutant(original: Uint8Array, random: (below: number) => number): Uint8Array {
  const kind = random(6);
  if (kind === 0) return original.slice(0, random(original.length));
  const bytes = Uint8Array.from(original);
  for (let left = 1 + random(kind < 3 ? 1 : 8); left > 0; --left) {
    const at = random(kind % 2 === 0 ? bytes.length : Math.min(bytes.length, 6000));
    const value = [bytes[at]! ^ (1 << random(8)), [0, 255, 127, 128][random(4)]!, random(256)];
    bytes[at] = value[random(3)]!;
  }
  return bytes;
}

/** As loading a model of any kind does, and on to a program where it is quantized. */
function load(bytes: Uint8Array): void {
  const onnx = readOnnx(bytes);
  if (quantizationState(onnx) === 'float') canonicalize(importOnnx(onnx));
  else lower(importQuantized(onnx), findTarget('onnxruntime'));
}

test(`${tries} mutants of ${originals.length} networks`, () => {
  const random = generator(4321);
  let refused = 0;
  let slowest = 0;
  for (let i = 0; i < tries; ++i) {
    const bytes = mutant(originals[i % originals.length]!, random);
    const start = performance.now();
    try {
      load(bytes);
    } catch (error) {
      if (!(error instanceof ModelError)) throw new Error(`mutant ${i}`, { cause: error });
      expect(error.message).not.toMatch(/undefined|\[object/);
      expect(error.message).not.toContain('\n');
      ++refused;
    }
    slowest = Math.max(slowest, performance.now() - start);
  }
  expect(refused).toBeGreaterThan(tries / 4);
  expect(refused).toBeLessThan(tries);
  expect(slowest).toBeLessThan(10_000);
});
