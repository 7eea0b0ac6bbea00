// SPDX-License-Identifier: Apache-2.0
// A fourth executor, written in Python from src/program/NOTES.md alone, against the others: random
// programs of every operation, and the embedded networks. Needs a Python with numpy: LASTBIT_PYTHON, or
// python3. LASTBIT_SPEC_PROGRAMS random programs, 150 unless given.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Engine } from '../../src/engine/engine.js';
import type { Codes } from '../../src/numeric/code-types.js';
import { programOf } from '../../src/pipeline/choose-program.js';
import { loadQuantizedModel } from '../../src/pipeline/load-model.js';
import { quantizeInMemory } from '../../src/pipeline/quantize.js';
import { encode } from '../../src/program/encode.js';
import { lower } from '../../src/program/lower.js';
import type { Program } from '../../src/program/program.js';
import { findTarget } from '../../src/targets/index.js';
import { randomCodes, randomProgram } from '../program/random-program.js';

const python = process.env.LASTBIT_PYTHON ?? 'python3';
const hasNumpy = spawnSync(python, ['-c', 'import numpy'], { stdio: 'ignore' }).status === 0;
const count = Number(process.env.LASTBIT_SPEC_PROGRAMS ?? 150);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lastbit-spec-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const sha256 = ({ buffer, byteOffset, byteLength }: Codes): string =>
  createHash('sha256')
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest('hex');

/** A program, its input and what the engine makes of it, for compare.py. */
function write(at: string, name: string, program: Program, codes: Codes): void {
  const engine = Engine.load(program);
  const { taps, trap } = engine.runSync(codes, { taps: 'all' });
  engine.close();
  const expected = {
    taps: Object.fromEntries(Array.from(taps, ([tensor, { data }]) => [tensor, sha256(data)])),
    trap: trap === undefined ? null : [trap.layer, trap.element, trap.value.toString()],
  };
  writeFileSync(join(at, `${name}.lbp`), encode(program));
  writeFileSync(
    join(at, `${name}.codes`),
    new Uint8Array(codes.buffer, codes.byteOffset, codes.byteLength),
  );
  writeFileSync(join(at, `${name}.json`), JSON.stringify(expected));
}

function compared(at: string) {
  const { stdout, stderr } = spawnSync(python, [join(__dirname, 'compare.py'), at], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  const [last = '', ...rest] = stdout.trimEnd().split('\n').reverse();
  const counts = last.startsWith('{') ? (JSON.parse(last) as Record<string, number>) : {};
  return { said: [...rest.reverse(), stderr.trim()].join('\n'), ...counts };
}

(hasNumpy ? test : test.skip)(`${count} random programs`, () => {
  const at = join(folder, 'random');
  mkdirSync(at);
  for (let seed = 1; seed <= count; seed++) {
    const program = randomProgram(seed);
    write(at, String(seed).padStart(6, '0'), program, randomCodes(program, seed));
  }
  expect(compared(at)).toMatchObject({ said: '', programs: count, differing: 0 });
});

(hasNumpy ? test : test.skip)(
  'the embedded networks under targets of every kind of arithmetic',
  async () => {
    const at = join(folder, 'nets');
    mkdirSync(at);
    const fashion = join(__dirname, '../../models/fashion');
    const images = readFileSync(join(fashion, 'test-images.npy'));
    for (const target of [
      'tflm',
      'tflite-u8',
      'xnnpack',
      'onnxruntime',
      'pow2',
      'nvdla',
      'esp-dl-p4',
    ]) {
      const { quantGraph } = await quantizeInMemory({
        model: join(fashion, 'mobilenet_v2_fashion.onnx'),
        dataFree: true,
        recipe: 'naive',
        target,
      });
      const program = lower(quantGraph, findTarget(target));
      const input = program.tensors[program.input]!;
      const size = input.height * input.width * input.channels;
      const pixels = images.subarray(images.length - size);
      const codes =
        input.dtype === 'u8'
          ? Uint8Array.from(pixels)
          : Int8Array.from(pixels, (pixel) => pixel - 128);
      write(at, target, program, codes);
    }
    expect(compared(at)).toMatchObject({ said: '', differing: 0 });
  },
);

/** Quantized models among the goldens and, where they are, the real ones. */
function modelFiles(): string[] {
  const data = process.env.LASTBIT_DATA;
  const folders = [
    join(__dirname, '../golden'),
    ...(data === undefined ? [] : [join(data, 'models/quantized')]),
  ];
  return folders.flatMap((at) =>
    readdirSync(at, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(onnx|tflite)$/.test(name))
      .sort()
      .map((name) => join(at, name)),
  );
}

(hasNumpy ? test : test.skip)(
  'every quantized model of the goldens, and the real ones',
  async () => {
    const at = join(folder, 'models');
    mkdirSync(at);
    let written = 0;
    for (const file of modelFiles()) {
      const model = await loadQuantizedModel(file).catch(() => undefined);
      // Float models, and small cases that are there to be refused.
      if (model === undefined) continue;
      const program = programOf(model);
      write(at, String(written++).padStart(3, '0'), program, randomCodes(program, written));
    }
    expect(written).toBeGreaterThan(5);
    expect(compared(at)).toMatchObject({ said: '', programs: written, differing: 0 });
  },
);
