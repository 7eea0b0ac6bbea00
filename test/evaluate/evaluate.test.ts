// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
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
      content: () => `content ${i}`,
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
  const open = (resume: boolean, model = 'a') =>
    openProgress(folder, { model }, source(40), { resume, overwrite: false });
  const failing: Predict = (sample) => {
    if (sample.name === 'image 20') throw new Error('power cut');
    return predict(sample);
  };
  const first = open(false);
  const interrupted = evaluate({
    samples: source(40),
    quantized: [failing, failing],
    progress: first,
  });
  await expect(interrupted).rejects.toThrow('power cut');
  first.close();
  const saved = open(true);
  expect(saved.done.length).toBe(20);
  expect(readdirSync(folder).sort()).toEqual(['.lock', 'progress.json']);

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
  // What is kept names each image's content besides.
  expect(rest).toEqual(whole.map((outcome, i) => ({ ...outcome, sha256: `content ${i}` })));

  saved.close();
  expect(() => open(false)).toThrow('[progress-exists]');
  expect(() => open(true, 'b')).toThrow('[progress-differs]');
  const fresh = openProgress(folder, { model: 'b' }, source(40), {
    resume: false,
    overwrite: true,
  });
  expect(fresh.done).toEqual([]);
  fresh.close();
  const file = join(folder, 'progress.json');
  writeFileSync(file, readFileSync(file, 'utf8').slice(0, 100));
  expect(() => open(true)).toThrow('[bad-progress]');
});

test('a worker that fails stops the others', async () => {
  const seen: string[] = [];
  const counted: Predict = (sample) => {
    seen.push(sample.name);
    return predict(sample);
  };
  const failing: Predict = () => Promise.reject(new Error('power cut'));
  const quantized = [failing, counted];
  const run = evaluate({ samples: source(40), quantized, progress: unsavedProgress });
  await expect(run).rejects.toThrow('power cut');
  // What it had begun when the other failed, no more.
  expect(seen.length).toBeLessThan(3);
});

test('without progress no image is hashed', async () => {
  const unread = itemSource(
    source(3).items.map((item) => ({
      ...item,
      content: () => {
        throw new Error('read twice');
      },
    })),
  );
  const run = evaluate({ samples: unread, quantized: [predict], progress: unsavedProgress });
  expect(await run).toHaveLength(3);
});

test('progress ends before the first image that failed, be it the very first', async () => {
  const open = () => openProgress(folder, {}, source(6), { resume: true, overwrite: false });
  const progress = open();
  const failing: Predict = async (sample) => {
    if (sample.name !== 'image 0') return predict(sample);
    await new Promise((resolve) => setTimeout(resolve, 60));
    throw new Error('power cut');
  };
  const run = evaluate({ samples: source(6), quantized: [failing, failing], progress });
  await expect(run).rejects.toThrow('power cut');
  progress.close();
  expect(open().done).toEqual([]);
});

test('resumes with fewer images than were done', async () => {
  const run = async (count: number) => {
    const samples = source(count);
    const progress = openProgress(folder, { model: 'a' }, samples, {
      resume: true,
      overwrite: false,
    });
    const outcomes = await evaluate({ samples, quantized: [predict], progress });
    progress.close();
    return outcomes;
  };
  await run(9);
  expect((await run(4)).length).toBe(4);
  const kept = openProgress(folder, { model: 'a' }, source(9), { resume: true, overwrite: false });
  expect(kept.done.length).toBe(9);
});

test('names every fact and the images that differ from those of the run before', async () => {
  const options = { resume: true, overwrite: false };
  const facts = { model: 'a', labels: 'l', geometry: null };
  const samples = source(9);
  const progress = openProgress(folder, facts, samples, options);
  await evaluate({ samples, quantized: [predict], progress });
  progress.close();
  const changed = (other: object, images = samples) => {
    expect(() => openProgress(folder, { ...facts, ...other }, images, options)).toThrow(
      '[progress-differs]',
    );
    try {
      openProgress(folder, { ...facts, ...other }, images, options);
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };
  expect(changed({ model: 'b' })).toContain('(model: a, now b)');
  expect(changed({ labels: null, geometry: 3 })).toContain(
    '(labels: l, now none; geometry: none, now 3)',
  );
  expect(changed({ more: 1 })).toContain('(more: none, now 1)');
  const swapped = itemSource(
    samples.items.map((item, i) => (i === 5 ? { ...item, content: () => 'another' } : item)),
  );
  expect(changed({}, swapped)).toContain('(changed images: image 5)');
  const renamed = itemSource(samples.items.map((item) => ({ ...item, name: `new ${item.name}` })));
  expect(changed({}, renamed)).toContain('image 0, image 1, image 2 and 6 more');
});

test('a folder in use is refused, one that a dead process left is not', () => {
  const options = { resume: true, overwrite: false };
  const open = () => openProgress(folder, {}, source(1), options);
  const first = open();
  expect(open).toThrow(`[in-use] ${folder}: process ${process.pid}`);
  first.close();
  // The greatest id that Linux gives is 2^22.
  writeFileSync(join(folder, '.lock'), String(2 ** 22 + 1));
  open().close();
  writeFileSync(join(folder, '.lock'), '');
  open().close();
  expect(readdirSync(folder)).toEqual([]);
  // A file where a folder should be: an error with its code, no crash.
  const file = join(folder, 'file');
  writeFileSync(file, '');
  for (const place of [file, join(file, 'out')]) {
    expect(() => openProgress(place, {}, source(1), options)).toThrow('[cannot-write]');
  }
});

test('an image without a label is an error that names it', async () => {
  const samples = itemSource([
    {
      name: 'x.png',
      content: () => '',
      load: () => Promise.resolve({ name: 'x.png', input: new Float32Array(1), how: '' }),
    },
  ]);
  await expect(
    evaluate({ samples, quantized: [predict], progress: unsavedProgress }),
  ).rejects.toThrow('[no-label] x.png');
});
