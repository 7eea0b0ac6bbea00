// SPDX-License-Identifier: Apache-2.0
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { LoadedSource } from '../../src/data/index.js';
import { itemSource } from '../../src/data/index.js';
import type { Predict } from '../../src/evaluate/index.js';
import { evaluate, openProgress, tally, unsavedProgress } from '../../src/evaluate/index.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lastbit-evaluate-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const source = (count: number): LoadedSource =>
  itemSource(
    Array.from({ length: count }, (_, i) => ({
      name: `image ${i}`,
      load: () =>
        Promise.resolve({ name: `image ${i}`, input: Float32Array.of(i), label: i % 10, how: '' }),
    })),
  );

/** Right for every image but each seventh, after a while that differs from image to image. */
const predict: Predict = async ({ input, label }) => {
  await new Promise((resolve) => setTimeout(resolve, (input[0]! * 13) % 7));
  const scores = new Int8Array(10);
  scores[input[0]! % 7 === 6 ? (label! + 1) % 10 : label!] = 100;
  return scores;
};

test('gives the same outcomes with any number of workers', async () => {
  const run = (workers: number) =>
    evaluate({
      samples: source(50),
      quantized: Array<Predict>(workers).fill(predict),
      float: predict,
      progress: unsavedProgress,
    });
  const alone = await run(1);
  expect(alone.map(({ name }) => name)).toEqual(Array.from({ length: 50 }, (_, i) => `image ${i}`));
  expect(await run(3)).toEqual(alone);
  expect(tally(alone)).toMatchObject({ n: 50, top1: 86, paired: { delta: 0 } });
});

test('continues after a crash and ends as if nothing had happened', async () => {
  const open = (resume: boolean, fingerprint = 'a') =>
    openProgress(folder, fingerprint, { resume, overwrite: false });
  const failing: Predict = (sample) => {
    if (sample.name === 'image 20') throw new Error('power cut');
    return predict(sample);
  };
  const interrupted = evaluate({
    samples: source(40),
    quantized: [failing, failing],
    progress: open(false),
  });
  await expect(interrupted).rejects.toThrow('power cut');
  const saved = open(true);
  expect(saved.done.length).toBe(20);
  expect(readdirSync(folder)).toEqual(['progress.json']);

  const seen: string[] = [];
  const counted: Predict = (sample) => {
    seen.push(sample.name);
    return predict(sample);
  };
  const rest = await evaluate({ samples: source(40), quantized: [counted], progress: saved });
  expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => `image ${i + 20}`));
  const whole = await evaluate({
    samples: source(40),
    quantized: [predict],
    progress: unsavedProgress,
  });
  expect(rest).toEqual(whole);

  expect(() => open(false)).toThrow('[progress-exists]');
  expect(() => open(true, 'b')).toThrow('[progress-differs]');
  expect(openProgress(folder, 'b', { resume: false, overwrite: true }).done).toEqual([]);
  const file = join(folder, 'progress.json');
  writeFileSync(file, readFileSync(file, 'utf8').slice(0, 100));
  expect(() => open(true)).toThrow('[bad-progress]');
});

test('resumes with fewer images than were done', async () => {
  const options = { resume: true, overwrite: false };
  await evaluate({
    samples: source(9),
    quantized: [predict],
    progress: openProgress(folder, 'a', options),
  });
  const fewer = {
    samples: source(4),
    quantized: [predict],
    progress: openProgress(folder, 'a', options),
  };
  expect((await evaluate(fewer)).length).toBe(4);
  expect(openProgress(folder, 'a', options).done.length).toBe(9);
  expect(existsSync(join(folder, 'progress.json'))).toBe(true);
});

test('an image without a label is an error that names it', async () => {
  const samples = itemSource([
    {
      name: 'x.png',
      load: () => Promise.resolve({ name: 'x.png', input: new Float32Array(1), how: '' }),
    },
  ]);
  await expect(
    evaluate({ samples, quantized: [predict], progress: unsavedProgress }),
  ).rejects.toThrow('[no-label] x.png');
});
