// SPDX-License-Identifier: Apache-2.0
// A run that is resumed after any of its inputs has changed is refused, and says which one.
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { evaluateModel, quantizeModel, readNpy, writeNpy } from '../../src/index.js';
import type { EvaluateModelOptions } from '../../src/index.js';

const fashion = join(__dirname, '../../models/fashion');
const float = join(fashion, 'sheng_fashion.onnx');
const folder = mkdtempSync(join(tmpdir(), 'lastbit-resume-'));
const at = (name: string) => join(folder, name);
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const count = 12;

/** The first images or labels of the embedded test set, with a value of one of them changed where asked. */
function writePart(from: string, to: string, changed?: number): void {
  const { shape, data } = readNpy(readFileSync(join(fashion, from)), from);
  const size = data.length / shape[0]!;
  const part = data.slice(0, count * size) as Uint8Array;
  if (changed !== undefined) part[changed * size] = (part[changed * size]! + 1) % 10;
  writeFileSync(at(to), writeNpy({ dtype: 'u8', shape: [count, ...shape.slice(1)], data: part }));
}

const options = (changes: Partial<EvaluateModelOptions> = {}): EvaluateModelOptions => ({
  model: at('net.onnx'),
  float: at('float.onnx'),
  images: at('images.npy'),
  labels: at('labels.npy'),
  threads: 1,
  out: at('out'),
  resume: true,
  ...changes,
});

beforeAll(async () => {
  copyFileSync(float, at('float.onnx'));
  writePart('test-images.npy', 'images.npy');
  writePart('test-labels.npy', 'labels.npy');
  const calib = join(fashion, 'calibration-images.npy');
  for (const [name, limit] of [
    ['net.onnx', 4],
    ['other.onnx', 8],
  ] as const) {
    await quantizeModel({ model: float, output: at(name), calib, limit, recipe: 'naive' });
  }
  await evaluateModel(options({ limit: 6, resume: false }));
});

test.each<[string, RegExp, () => Partial<EvaluateModelOptions>]>([
  ['the model', /program: /, () => ({ model: at('other.onnx') })],
  ['the target', /target: tflm@.*xnnpack@/, () => ({ target: 'xnnpack' })],
  ['preprocessing', /preprocess: tf, now unit/, () => ({ preprocess: 'unit' })],
  ['geometry', /geometry: auto, now stretch/, () => ({ geometry: 'stretch' })],
  [
    'the label offset',
    /labelOffset: 0, now 1/,
    () => ({ labelOffset: 1, labels: at('zeros.npy') }),
  ],
  ['the float reference left away', /float: \w+, now none/, () => ({ float: undefined })],
  ['the float reference', /float: /, () => ({ float: join(fashion, 'mobilenet_v1_fashion.onnx') })],
])('%s', async (_, message, change) => {
  writeFileSync(
    at('zeros.npy'),
    writeNpy({ dtype: 'u8', shape: [count], data: new Uint8Array(count) }),
  );
  await expect(evaluateModel(options(change()))).rejects.toThrow(message);
  await expect(evaluateModel(options(change()))).rejects.toThrow('[progress-differs]');
});

test('one pixel of one image that was done', async () => {
  writePart('test-images.npy', 'images.npy', 3);
  await expect(evaluateModel(options())).rejects.toThrow('changed images: images.npy#3');
  writePart('test-images.npy', 'images.npy');
});

test('the name of the images', async () => {
  copyFileSync(at('images.npy'), at('renamed.npy'));
  await expect(evaluateModel(options({ images: at('renamed.npy') }))).rejects.toThrow(
    'changed images: images.npy#0, images.npy#1, images.npy#2 and 3 more',
  );
});

test('one label', async () => {
  writePart('test-labels.npy', 'labels.npy', 11);
  await expect(evaluateModel(options())).rejects.toThrow(/labels: \w+, now \w+/);
  writePart('test-labels.npy', 'labels.npy');
});

test('nothing has changed: it goes on, and ends as a run that was never interrupted', async () => {
  const resumed = await evaluateModel(options());
  expect(resumed.resumedFrom).toBe(6);
  const whole = await evaluateModel(options({ out: undefined, resume: false }));
  // How fast it went, and which images were looked at this time, belong to the run.
  const own = { imagesPerSecond: null, resumedFrom: 0, geometryApplied: {} };
  expect({ ...resumed, ...own }).toEqual({ ...whole, ...own });
});
