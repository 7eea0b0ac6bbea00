// SPDX-License-Identifier: Apache-2.0
// The examples, against the built package, as its users have it.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';

import { readNpy } from '../../src/data/npy.js';
import { Engine } from '../../src/engine/engine.js';
import { topClasses } from '../../src/evaluate/index.js';
import { loadQuantizedModel } from '../../src/pipeline/load-model.js';
import { programOf } from '../../src/pipeline/choose-program.js';
import { presets } from '../../src/data/presets.js';
import { pixelTable } from '../../src/program/input.js';
import { lastbitJson } from '../cli/captured.js';

const root = join(__dirname, '../..');
const fashion = join(root, 'models/fashion');
const side = 32;

let folder: string;
let model: string;
/** RGB pixels of images. */
let images: Uint8Array[];
/** Class and score of each. */
let expected: { readonly index: number; readonly score: number }[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lastbit-examples-'));
  model = join(folder, 'net.int8.onnx');
  const float = join(fashion, 'mobilenet_v1_fashion.onnx');
  await lastbitJson('quantize', float, '-o', model, '--data-free', '--recipe', 'naive');
  const { data, shape } = readNpy(readFileSync(join(fashion, 'test-images.npy')), 'images');
  const size = data.length / shape[0]!;
  images = [0, 1, 2, 3, 4].map((i) => rgb((data as Uint8Array).slice(i * size, (i + 1) * size)));
  const program = programOf(await loadQuantizedModel(model));
  const engine = Engine.load(program);
  const table = pixelTable(program, presets.tf.value);
  expected = images.map(
    (pixels) => topClasses(engine.runSync({ pixels, table }).outputs[0]!.data, 1)[0]!,
  );
  engine.close();
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Grey 28 x 28 or whatever the set has, centred in black, three times. */
function rgb(image: Uint8Array): Uint8Array {
  if (image.length === side * side * 3) return image;
  const own = Math.sqrt(image.length);
  const margin = (side - own) / 2;
  const pixels = new Uint8Array(side * side * 3);
  for (let y = 0; y < own; y++)
    for (let x = 0; x < own; x++)
      pixels.fill(
        image[y * own + x]!,
        ((y + margin) * side + x + margin) * 3,
        ((y + margin) * side + x + margin) * 3 + 3,
      );
  return pixels;
}

test('streaming: a line for each frame, the same as one by one; half a frame is left out', () => {
  const input = Buffer.concat([...images, images[0]!.slice(0, 100)]);
  const script = join(root, 'examples/streaming/frames.mjs');
  const { stdout, stderr, status } = spawnSync(process.execPath, [script, model], { input });
  expect(status).toBe(0);
  const lines = expected.map(({ index, score }, i) => `${i}\t${index}\t${score}\n`);
  expect(stdout.toString()).toBe(lines.join(''));
  expect(stderr.toString()).toMatch(/has 100 of 3072 bytes/);
});

describe('service', () => {
  let server: ChildProcess;
  let url: string;
  beforeAll(async () => {
    const script = join(root, 'examples/service/server.mjs');
    server = spawn(process.execPath, [script, model, '0']);
    const [text] = (await once(server.stdout!, 'data')) as [Buffer];
    url = text.toString().trim();
  });
  afterAll(() => {
    server.kill();
  });
  const post = async (body: Buffer) => {
    const response = await fetch(url, { method: 'POST', body: new Uint8Array(body) });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };

  test("many at once: each gets its own image's classes", async () => {
    const raw = { width: side, height: side, channels: 3 } as const;
    const files = await Promise.all(
      images.map((pixels) => sharp(pixels, { raw }).png().toBuffer()),
    );
    const answers = await Promise.all([...files, ...files, ...files].map(post));
    const best = answers.map(({ body }) => (body.top as object[])[0]);
    expect(best).toEqual([...expected, ...expected, ...expected]);
  });

  test('what is no image is refused, and the service goes on', async () => {
    expect((await post(Buffer.from('no image'))).status).toBe(415);
    expect((await fetch(url)).status).toBe(405);
    const raw = { width: side, height: side, channels: 3 } as const;
    expect((await post(await sharp(images[0], { raw }).png().toBuffer())).status).toBe(200);
  });

  test('a model that cannot be loaded ends it with one line', () => {
    const script = join(root, 'examples/service/server.mjs');
    const { status, stderr } = spawnSync(process.execPath, [script, 'none.onnx', '0']);
    expect([status, stderr.toString()]).toEqual([
      3,
      expect.stringMatching(/^\[no-such-file\][^\n]*\n$/),
    ]);
  });
});
