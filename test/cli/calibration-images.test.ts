// SPDX-License-Identifier: Apache-2.0
// Calibration folders as they are found: greyscale, constant and broken images, other formats.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import sharp from 'sharp';

import { loadQuantizedModel } from '../../src/pipeline/index.js';
import type { QuantizeDocument } from '../../src/report/index.js';
import { randomNumbers } from '../quantize/small-graphs.js';
import { lastbit, lastbitJson } from './captured.js';

const float = join(__dirname, '../../models/fashion/mobilenet_v1_fashion.onnx');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lastbit-calibration-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** A folder of 32 x 32 images: `pixel` gives each byte. */
async function images(
  name: string,
  count: number,
  channels: 1 | 3,
  pixel: (i: number) => number,
): Promise<string> {
  const directory = join(folder, name);
  mkdirSync(directory);
  for (let i = 0; i < count; i++) {
    const data = Uint8Array.from({ length: 1024 * channels }, (_, k) => pixel(i * 7919 + k));
    const image = sharp(data, { raw: { width: 32, height: 32, channels } });
    await image.toFile(join(directory, `${i}.${i % 2 === 0 ? 'png' : 'jpg'}`));
  }
  return directory;
}

async function requireUsable(calib: string, ...options: string[]): Promise<QuantizeDocument> {
  const output = `${calib}-${options.join('')}.onnx`;
  const made = await lastbitJson<QuantizeDocument>(
    ...([
      'quantize',
      float,
      '-o',
      output,
      '--calib',
      calib,
      '--preprocess',
      'tf',
      ...options,
    ] as const),
  );
  const model = await loadQuantizedModel(output);
  if (model.kind !== 'quantized') throw new Error('expected a quantized model');
  for (const { scale } of model.quantGraph.values.values()) {
    expect(scale > 0 && Number.isFinite(scale)).toBe(true);
  }
  for (const node of model.quantGraph.nodes) {
    if (node.op !== 'Conv') continue;
    expect(node.weight.scales.every((one) => one > 0 && Number.isFinite(one))).toBe(true);
  }
  return made;
}

const random = randomNumbers(1);
const noise = (): number => Math.floor(128 * (random() + 1));

test('greyscale images are taken for colour ones', async () => {
  const made = await requireUsable(await images('grey', 8, 1, noise), '--recipe', 'naive');
  expect(made.images).toBe(8);
  expect(made.warnings).toEqual([]);
});

test.each([
  ['black', 0],
  ['white', 255],
])('images that are all %s give usable scales', async (name, value) => {
  const calib = await images(name, 4, 3, () => value);
  for (const ranges of ['mse', 'kl', 'output', 'percentile']) {
    const made = await requireUsable(calib, '--recipe', 'naive', '--ranges', ranges);
    expect(made.warnings[0]).toMatch(/only 4 calibration image/);
  }
});

test('a broken image among good ones is named', async () => {
  const calib = await images('mixed', 3, 3, noise);
  writeFileSync(join(calib, '1b.jpg'), Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16]));
  const output = join(folder, 'none.onnx');
  const { code, err } = await lastbit('quantize', float, '-o', output, '--calib', calib);
  expect(code).toBe(3);
  expect(err).toMatch(/^error \[not-an-image\] [^\n]*1b\.jpg[^\n]*\n$/);
});
