// SPDX-License-Identifier: Apache-2.0
// Dumps of a device with one usual mistake, made by a target of one's own: the mistake is named.
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { readNpy, writeNpy } from '../../src/data/npy.js';
import type { CompareDumpDocument } from '../../src/report/index.js';
import { lastbit, lastbitJson } from './captured.js';

const fashion = join(__dirname, '../../models/fashion');

let folder: string;
const at = (name: string): string => join(folder, name);
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lastbit-compare-dump-'));
  const images = readNpy(readFileSync(join(fashion, 'test-images.npy')), 'images');
  const size = images.data.length / images.shape[0]!;
  const data = (images.data as Uint8Array).slice(0, size);
  writeFileSync(at('x.npy'), writeNpy({ dtype: 'u8', shape: [1, ...images.shape.slice(1)], data }));
  const net = join(fashion, 'sheng_fashion.onnx');
  for (const target of ['tflm', 'pow2', 'onnxruntime']) {
    const output = at(`${target}.onnx`);
    const args = ['--target', target, '--data-free', '--recipe', 'naive'];
    await lastbitJson('quantize', net, '-o', output, ...args);
  }
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Dumps of `target` with other arithmetic, compared with the target itself. */
async function compared(target: string, arithmetic: object) {
  const device = at('device.json');
  writeFileSync(device, JSON.stringify({ id: 'device@1', extends: target, arithmetic }));
  const out = at('dumps');
  rmSync(out, { recursive: true, force: true });
  const model = at(`${target}.onnx`);
  const input = ['--input', at('x.npy')];
  await lastbitJson('run', model, '--target', device, ...input, '--taps', 'all', '--out', out);
  const args = ['compare-dump', model, out, '--target', target, ...input];
  const { code, out: text } = await lastbit(...args);
  const { out: json } = await lastbit(...args, '--format', 'json');
  return { code, text, document: JSON.parse(json) as CompareDumpDocument };
}

test.each([
  ['tflm', { code: { kind: 'q31', rule: 'ceil' } }, 'rounds up (ceil)'],
  ['tflm', { code: { kind: 'q31', rule: 'floor' } }, 'rounds down (floor)'],
  ['pow2', { code: { kind: 'pow2', rule: 'halfEven' } }, 'rounds half to even'],
  ['pow2', { code: { kind: 'pow2', rule: 'trunc0' } }, 'rounds toward zero'],
  [
    'onnxruntime',
    { clampRounding: 'halfEven', accumulator: { bits: 16, overflow: 'saturate', when: 'end' } },
    'accumulator of 16 bits saturates',
  ],
  ['tflm', { accumulator: { bits: 16, overflow: 'wrap' } }, 'accumulator of 16 bits wraps'],
])('%s with %j: %s', async (target, arithmetic, name) => {
  const { code, text, document } = await compared(target, arithmetic);
  expect(code).toBe(1);
  const { differing, explanation } = document.first!;
  expect(differing).toBeGreaterThan(0);
  expect(explanation!.faults).toContainEqual({ name, unexplained: 0 });
  expect(text).toContain(`${name}: explains every code`);
  expect(text).toMatch(/there +sum -?\d+, .*; 32-bit accumulator/);
});

test('codes that no usual mistake makes', async () => {
  await compared('tflm', { code: { kind: 'q31', rule: 'halfUp' } });
  const first = readdirSync(at('dumps')).find((name) => name.startsWith('001-'))!;
  const own = at('own');
  const args = ['--target', 'tflm', '--input', at('x.npy')];
  await lastbitJson('run', at('tflm.onnx'), ...args, '--taps', 'all', '--out', own);
  cpSync(own, at('dumps'), { recursive: true });
  const { dtype, shape, data } = readNpy(readFileSync(at(`dumps/${first}`)), first);
  // Every third code, by amounts that go on growing.
  const noise = Int8Array.from(data as Int8Array, (x, i) =>
    i % 3 === 0 ? x + ((i * 37) % 11) : x,
  );
  writeFileSync(at(`dumps/${first}`), writeNpy({ dtype, shape, data: noise }));
  const { out } = await lastbit('compare-dump', at('tflm.onnx'), at('dumps'), ...args);
  expect(out).toContain('no usual mistake explains it');
});

describe('vectors that golden writes are dumps, too', () => {
  /** Outputs of all layers under the names of the layers. */
  async function outputs(...settings: string[]): Promise<string> {
    const vectors = at('vectors');
    const layers = join(vectors, 'layers');
    const dumps = at('memories');
    for (const old of [vectors, dumps]) rmSync(old, { recursive: true, force: true });
    const input = ['--target', 'tflm', '--input', at('x.npy')];
    await lastbitJson('golden', at('tflm.onnx'), ...input, '-o', vectors, ...settings);
    mkdirSync(dumps);
    for (const layer of readdirSync(layers).filter((name) => /^\d{3}-/.test(name))) {
      const files = readdirSync(join(layers, layer), { recursive: true }).map(String);
      const output = files.find((name) => /output.*\.(mem|bin)$/.test(name))!;
      const ending = settings.includes('bin') ? '.bin' : '.mem';
      cpSync(join(layers, layer, output), join(dumps, layer + ending));
    }
    return dumps;
  }

  test.each([
    ['one number a word', ['--formats', 'mem'], 'NHWC'],
    ['four a word', ['--formats', 'mem', '--word-bits', '32'], 'NHWC'],
    [
      'the first one on top',
      ['--formats', 'mem', '--word-bits', '64', '--lane-order', 'high-first'],
      'NHWC',
    ],
    [
      'tiles of 8 channels',
      ['--formats', 'mem', '--word-bits', '64', '--layout', 'nchw8c'],
      'NCHW8c',
    ],
    ['tiles of 16 as raw bytes', ['--formats', 'bin', '--layout', 'nchw16c'], 'NCHW16c'],
  ])('%s', async (_, settings, layout) => {
    const dumps = await outputs(...settings);
    const args = ['--target', 'tflm', '--input', at('x.npy')];
    const document = await lastbitJson<CompareDumpDocument>(
      'compare-dump',
      at('tflm.onnx'),
      dumps,
      ...args,
    );
    expect(document.first).toBeNull();
    expect(document.layers.length).toBeGreaterThan(25);
    const found = document.layers.map((layer) => layer.layout);
    expect(found.filter((one) => one === layout).length).toBeGreaterThan(10);
  });

  test('a planted fault in tiles is found at its place', async () => {
    const dumps = await outputs('--formats', 'mem', '--layout', 'nchw8c');
    const file = readdirSync(dumps)[4]!;
    const lines = readFileSync(join(dumps, file), 'utf8').split('\n');
    const at9 = lines.findIndex((line) => /^[0-9a-f]{2}/.test(line)) + 9;
    lines[at9] = lines[at9]!.startsWith('55') ? '56' : '55';
    writeFileSync(join(dumps, file), lines.join('\n'));
    const args = ['compare-dump', at('tflm.onnx'), dumps, '--target', 'tflm'];
    const { code, out } = await lastbit(...args, '--input', at('x.npy'), '--format', 'json');
    const { first } = JSON.parse(out) as CompareDumpDocument;
    expect(code).toBe(1);
    // The ninth number is channel 1 of the second pixel.
    expect(first).toMatchObject({ differing: 1, layout: 'NCHW8c' });
    expect(first!.positions).toMatchObject([{ y: 0, x: 1, channel: 1 }]);
  });

  test.each([
    ['xx zz', 'unknown or not driven'],
    ['0x12', 'expected hexadecimal words'],
    ['@ffffffff 00', 'beyond the'],
    ['@4 00', 'word 0 is missing'],
  ])('%s is refused', async (text, words) => {
    const dumps = at('memories');
    writeFileSync(join(dumps, readdirSync(dumps)[2]!), text);
    const args = ['compare-dump', at('tflm.onnx'), dumps, '--target', 'tflm'];
    const { code, err } = await lastbit(...args, '--input', at('x.npy'));
    expect([code, err]).toEqual([3, expect.stringContaining('[bad-memory]')]);
    expect(err).toContain(words);
  });
});
