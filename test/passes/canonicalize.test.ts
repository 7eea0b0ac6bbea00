// SPDX-License-Identifier: Apache-2.0
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { openFileRunner, openFloatRunner } from '../../src/float/runner.js';
import { readOnnx, readOnnxFile } from '../../src/onnx/file/reader.js';
import { importOnnx } from '../../src/onnx/float/import.js';
import { writeOnnx } from '../../src/onnx/write/float.js';
import { canonicalize, passes } from '../../src/passes/index.js';
import { inputLayoutKey } from '../../src/passes/input-to-nchw.js';
import { disagreement, toNhwc } from '../onnx/agree.js';
import { randomNet } from './random-nets.js';

const seeds = Array.from({ length: 60 }, (_, seed) => seed);

test('random networks compute the same before and after all passes', async () => {
  const seen = new Set<string>();
  for (const seed of seeds) {
    const net = randomNet(seed);
    net.graph.nodes.forEach(({ op }) => seen.add(op));
    const error = await disagreement(net, canonicalize, 1);
    if (!(error < 1e-5)) throw new Error(`seed ${seed}: relative difference ${error}`);
  }
  // The generator must really reach what is claimed to be tested.
  expect([...seen]).toEqual(
    expect.arrayContaining([
      'BatchNormalization',
      'Pad',
      'Gemm',
      'MatMul',
      'Transpose',
      'Concat',
      'Reshape',
    ]),
  );
});

test('every single pass keeps what random networks compute', async () => {
  for (const seed of seeds.slice(0, 8)) {
    const net = randomNet(seed);
    for (let count = 1; count < passes.length; count++) {
      const some = passes.slice(0, count);
      const error = await disagreement(
        net,
        (graph) => some.reduce((g, [, pass]) => pass(g), graph),
        1,
      );
      if (!(error < 1e-5)) throw new Error(`seed ${seed} after ${some.at(-1)![0]}: ${error}`);
    }
  }
});

test('canonical graphs are a fixed point, also through a file', () => {
  for (const seed of seeds) {
    const graph = canonicalize(importOnnx(randomNet(seed)));
    const again = canonicalize(importOnnx(readOnnx(writeOnnx(graph))));
    expect(again.nodes.map(({ op, outputs }) => [op, outputs])).toEqual(
      graph.nodes.map(({ op, outputs }) => [op, outputs]),
    );
  }
});

const data = process.env.LASTBIT_DATA;

/** Channels first, normalized as the data README says for each file. */
function preprocess(pixels: Uint8Array, name: string): Float32Array {
  const count = pixels.length / 3;
  const [mean, std] = [
    [0.485, 0.456, 0.406],
    [0.229, 0.224, 0.225],
  ] as const;
  const input = new Float32Array(pixels.length);
  for (let c = 0; c < 3; c++) {
    for (let i = 0; i < count; i++) {
      const pixel = pixels[3 * i + c]!;
      if (name.includes('vww')) input[c * count + i] = pixel / 255;
      else if (!name.includes('torchvision')) input[c * count + i] = pixel / 127.5 - 1;
      else input[c * count + i] = (pixel / 255 - mean[c]!) / std[c]!;
    }
  }
  return input;
}

const argmax = (values: Float32Array) => values.indexOf(Math.max(...values));

async function images(name: string): Promise<Uint8Array[]> {
  const folder = join(data!, name.includes('vww') ? 'vww/images' : 'imagenet/val/images');
  const files = readdirSync(folder)
    .sort()
    .slice(0, 2)
    .map((file) => join(folder, file));
  if (name.includes('vww')) return files.map((file) => readFileSync(file));
  const crop = { left: 1, top: 1, width: 224, height: 224 };
  return Promise.all(
    files.map((file) =>
      sharp(file).extract(crop).removeAlpha().toColourspace('srgb').raw().toBuffer(),
    ),
  );
}

(data === undefined ? describe.skip : describe)('real models (needs LASTBIT_DATA)', () => {
  const folder = join(data ?? '', 'models/float');
  const files = data === undefined ? [''] : readdirSync(folder).filter((f) => f.endsWith('.onnx'));

  // All 650 validation images were compared once: equal argmax on each, largest difference 1.2e-4.
  test.each(files)('%s: same class and logits within 1e-3 of the original file', async (file) => {
    const path = join(folder, file);
    const graph = canonicalize(importOnnx(readOnnxFile(path)));
    expect(new Set(graph.nodes.map(({ op }) => op))).not.toContain('Transpose');
    const [, c, h, w] = graph.inputs[0]!.shape as [number, number, number, number];
    const nhwc = graph.metadata.get(inputLayoutKey) === 'NHWC';
    const ours = await openFloatRunner(graph);
    const theirs = await openFileRunner(readFileSync(path), nhwc ? [1, h, w, c] : [1, c, h, w]);
    for (const pixels of await images(file)) {
      const input = preprocess(pixels, file);
      const got = (await ours.run(input)).get('logits')!;
      const want = (await theirs.run(nhwc ? toNhwc(input, c, h * w) : input)).get('logits')!;
      expect(argmax(got)).toBe(argmax(want));
      const error = got.reduce((worst, value, i) => Math.max(worst, Math.abs(value - want[i]!)), 0);
      expect(error).toBeLessThanOrEqual(1e-3);
    }
    await ours.close();
    await theirs.close();
  });
});
