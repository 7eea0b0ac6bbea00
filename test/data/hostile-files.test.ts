// SPDX-License-Identifier: Apache-2.0
// What a name may lead to besides a file: each ends in an error of one line, and none is waited for.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { writeFileAtomic, writeNpy } from '../../src/data/index.js';
import { readOnnxFile } from '../../src/onnx/file/reader.js';
import { encodeMessage } from '../../src/onnx/file/protobuf.js';
import { encodeModel } from '../../src/onnx/file/encode.js';
import { lastbit } from '../cli/captured.js';
import { model, node, randomTensor } from '../onnx/build.js';

let folder: string;
let float: string;
let quant: string;
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lastbit-hostile-'));
  float = at('net.onnx');
  quant = at('net.int8.onnx');
  const small = model({
    input: [1, 3, 8, 8],
    output: [1, 4, 1, 1],
    nodes: [node('Conv', ['x', 'w'], 'c'), node('GlobalAveragePool', ['c'], 'y')],
    weights: { w: randomTensor([4, 3, 3, 3], 1) },
  });
  writeFileSync(float, encodeModel(small));
  const data = Uint8Array.from({ length: 192 }, (_, i) => i);
  writeFileSync(at('image.npy'), writeNpy({ dtype: 'u8', shape: [8, 8, 3], data }));
  const args = ['-o', quant, '--calib', at('image.npy'), '--preprocess', 'unit'];
  expect(await lastbit('quantize', float, ...args)).toMatchObject({ code: 0 });
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Every place where a command takes a file. */
const uses: Record<string, (file: string) => string[]> = {
  'a model': (file) => ['inspect', file],
  'a quantized model': (file) => ['run', file, '--input', at('image.npy')],
  'a float model': (file) => ['quantize', file, '-o', at('out.onnx'), '--data-free'],
  'a float reference': (file) => ['compare', file, quant, '--images', at('image.npy')],
  'a head': (file) => ['convert', quant, file, '-o', at('out.onnx')],
  'an image': (file) => ['run', quant, '--input', file],
  'an array': (file) => ['run', quant, '--input', `${file}.npy`],
  'bytes without a header': (file) => ['run', quant, '--input', `${file}.bin`],
  'a set of images': (file) => ['run', quant, '--images', `${file}.npy`],
  'a folder of images': (file) => ['run', quant, '--images', file],
  labels: (file) => ['evaluate', quant, '--images', folder, '--labels', file],
  'labels of a set': (file) => ['evaluate', quant, '--images', at('image.npy'), '--labels', file],
  names: (file) => ['run', quant, '--input', at('image.npy'), '--names', file],
  'a target': (file) => ['run', quant, '--input', at('image.npy'), '--target', `${file}.json`],
  'a recipe': (file) => [
    'quantize',
    float,
    '-o',
    at('o.onnx'),
    '--data-free',
    '--recipe',
    `${file}.json`,
  ],
  'a config': (file) => ['inspect', float, '-c', file],
  dumps: (file) => ['compare-dump', quant, '--dumps', file, '--input', at('image.npy')],
  'a manifest': (file) => ['verify', file],
};

const endings = ['', '.npy', '.bin', '.json'];
const made: Record<string, (file: string) => void> = {
  'a pipe that nobody writes': (file) => execFileSync('sh', ['-c', 'mkfifo "$0"', file]),
  'a device without end': (file) => {
    symlinkSync('/dev/zero', file);
  },
  'a terminal or none': (file) => {
    symlinkSync('/dev/tty', file);
  },
  'a link to itself': (file) => {
    symlinkSync(file, file);
  },
  'a folder': (file) => {
    mkdirSync(file);
  },
  'a file of holes, 2 GiB': (file) => {
    writeFileSync(file, '');
    truncateSync(file, 2 ** 31);
  },
  'an empty file': (file) => {
    writeFileSync(file, '');
  },
};

describe.each(Object.keys(uses))('%s', (use) => {
  test.each(Object.keys(made))('that is %s', async (kind) => {
    const file = at(`x${Object.keys(made).indexOf(kind)}${Object.keys(uses).indexOf(use)}`);
    for (const ending of endings) made[kind]!(file + ending);
    await refused(uses[use]!(file));
    for (const ending of endings) rmSync(file + ending, { recursive: true });
  });

  test('whose name is too long, is not there or holds a zero', async () => {
    await refused(uses[use]!(at('n'.repeat(300))));
    await refused(uses[use]!(join(folder, `${'d'.repeat(200)}/`.repeat(30), 'f')));
    await refused(uses[use]!(at('none')));
    await refused(uses[use]!(at('zero\0byte')));
    await refused(uses[use]!(join(quant, 'below-a-file')));
  });
});

async function refused(args: string[]): Promise<void> {
  const started = performance.now();
  const { code, err, out } = await lastbit(...args);
  expect([2, 3, 4]).toContain(code);
  expect(err).toMatch(/^error \[[a-z-]+\] [^\n]+\n$/);
  expect(out).toBe('');
  expect(performance.now() - started).toBeLessThan(5000);
}

describe('what is written', () => {
  test('a name of 240 characters', () => {
    const file = at('w'.repeat(240));
    writeFileAtomic(file, 'x');
    expect(readFileSync(file, 'utf8')).toBe('x');
  });

  test('replaces a link instead of following it', () => {
    writeFileSync(at('kept'), 'kept');
    symlinkSync(at('kept'), at('link'));
    writeFileAtomic(at('link'), 'new');
    expect([readFileSync(at('kept'), 'utf8'), readFileSync(at('link'), 'utf8')]).toEqual([
      'kept',
      'new',
    ]);
  });

  test('goes through a name that differs each time', () => {
    mkdirSync(at('watched'));
    // Renaming onto a folder fails, so what was tried stands in the error of the system.
    mkdirSync(at('watched/taken'));
    const names = [1, 2].map(() => {
      try {
        writeFileAtomic(at('watched/taken'), 'x');
      } catch (error) {
        return /\.([0-9a-f]{16})\.part/.exec((error as Error).message)?.[1];
      }
      return undefined;
    });
    expect(names[0]).toBeDefined();
    expect(new Set(names).size).toBe(2);
    expect(readdirSync(at('watched'))).toEqual(['taken']);
  });
});

test('weights beside the model are not taken from a file with a second name', () => {
  writeFileSync(at('outside'), Buffer.alloc(16));
  mkdirSync(at('net'));
  const bytes = encodeMessage({
    irVersion: 7,
    opsetImport: [{ domain: '', version: 13 }],
    graph: {
      node: [{ opType: 'Relu', input: ['x'], output: ['y'] }],
      initializer: [
        {
          name: 'w',
          dims: [4],
          dataType: 1,
          dataLocation: 1,
          externalData: [{ key: 'location', value: 'w.bin' }],
        },
      ],
    },
  });
  writeFileSync(at('net/m.onnx'), bytes);
  linkSync(at('outside'), at('net/w.bin'));
  expect(() => readOnnxFile(at('net/m.onnx'))).toThrow(/\[external-data\].*hard link/);
  rmSync(at('net/w.bin'));
  spawnSync('sh', ['-c', 'mkfifo "$0"', at('net/w.bin')]);
  expect(() => readOnnxFile(at('net/m.onnx'))).toThrow(/\[external-data\].*plain file/);
});
