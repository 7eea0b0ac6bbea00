// SPDX-License-Identifier: Apache-2.0
// Evaluations whose images other processes run: equal to those of one process, whoever dies.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { readNpy, writeNpy } from '../../src/data/npy.js';
import { evaluateModel, type EvaluateModelOptions } from '../../src/pipeline/evaluate.js';
import { runShards, serveShards } from '../../src/queue/index.js';
import type { EvaluateDocument } from '../../src/report/index.js';
import { lastbit, lastbitJson } from '../cli/captured.js';
import { hasRedis, type RedisServer, startRedis } from './redis.js';

const fashion = join(__dirname, '../../models/fashion');
const withRedis = hasRedis ? describe : describe.skip;

let folder: string;
let options: EvaluateModelOptions;
const workers: ChildProcess[] = [];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lastbit-queue-'));
  const float = join(fashion, 'sheng_fashion.onnx');
  const model = join(folder, 'q.onnx');
  await lastbitJson('quantize', float, '-o', model, '--data-free', '--recipe', 'naive');
  options = {
    ...{ model, float, threads: 1, limit: 600 },
    images: join(fashion, 'test-images.npy'),
    labels: join(fashion, 'test-labels.npy'),
  };
});
afterEach(() => {
  for (const worker of workers.splice(0)) worker.kill('SIGKILL');
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** All but how fast it was. */
function result(document: EvaluateDocument): unknown {
  return { ...document, imagesPerSecond: undefined };
}

function startWorker(url: string, name: string): ChildProcess {
  const worker = spawn(process.execPath, [join(__dirname, 'worker.cjs'), url, name]);
  workers.push(worker);
  return worker;
}

withRedis('with a Redis server (needs redis-server on the PATH)', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis('secret');
  });
  afterAll(async () => {
    await redis.stop();
  });

  test('two workers, one killed amid its images: the same result', async () => {
    const [first] = [startWorker(redis.url, 'first'), startWorker(redis.url, 'second')];
    const onProgress = jest.fn();
    const queued = evaluateModel({ ...options, queue: redis.url, shard: 40, onProgress });
    // Its next range is under way at once.
    await once(first.stdout!, 'data');
    first.kill('SIGKILL');
    expect(result(await queued)).toEqual(result(await evaluateModel(options)));
    const done = onProgress.mock.calls.map(([, count]: [string, number]) => count);
    expect(done.at(-1)).toBe(600);
    expect(new Set(done).size).toBe(15);
  }, 60_000);

  test('a server that forgets everything halfway is told again', async () => {
    startWorker(redis.url, 'only');
    let restarted: Promise<void> | undefined;
    const onProgress = (_: string, done: number): void => {
      if (done >= 80) restarted ??= redis.stop().then(() => redis.start());
    };
    const queued = await evaluateModel({ ...options, queue: redis.url, shard: 20, onProgress });
    await restarted;
    expect(restarted).toBeDefined();
    expect(result(queued)).toEqual(result(await evaluateModel(options)));
  }, 60_000);

  test('an interrupted run goes on from its folder, and a changed shard size does not matter', async () => {
    startWorker(redis.url, 'only');
    const out = join(folder, 'run');
    const run = { ...options, out, queue: redis.url };
    await evaluateModel({ ...run, limit: 150, shard: 50 });
    const resumed = await evaluateModel({ ...run, resume: true, shard: 64 });
    const whole = await evaluateModel(options);
    expect(resumed).toMatchObject({ resumedFrom: 150, top1: whole.top1, paired: whole.paired });
  }, 60_000);

  test('a worker with another model refuses, and says what differs', async () => {
    startWorker(redis.url, 'only');
    const model = join(folder, 'changed.onnx');
    copyFileSync(options.model, model);
    const opened = evaluateModel({ ...options, model, limit: 40, queue: redis.url });
    // By the time that a worker reads it the file is another.
    const other = join(fashion, 'mobilenet_v1_fashion.onnx');
    await lastbitJson(
      'quantize',
      other,
      '-o',
      model,
      '--data-free',
      '--recipe',
      'naive',
      '--overwrite',
    );
    await expect(opened).rejects.toThrow(
      /\[shard-failed\] images 0 to 39: .*\[worker-differs\].*program: /,
    );
  }, 60_000);

  test('an image that cannot be read is named', async () => {
    startWorker(redis.url, 'only');
    const images = join(folder, 'images.npy');
    const { shape, data } = readNpy(readFileSync(options.images!), 'images');
    const size = data.length / shape[0]!;
    const few = (data as Uint8Array).slice(0, 3 * size);
    writeFileSync(images, writeNpy({ dtype: 'u8', shape: [3, ...shape.slice(1)], data: few }));
    const labels = join(folder, 'labels.csv');
    writeFileSync(labels, 'file,label\nbroken.png,1\n');
    writeFileSync(join(folder, 'broken.png'), 'no image');
    const broken = { ...options, images: folder, labels, queue: redis.url };
    await expect(evaluateModel(broken)).rejects.toThrow(/\[shard-failed\].*broken\.png/);
  }, 60_000);

  test('what is no shard is refused, what is no result is an error', async () => {
    const shard = { facts: {}, options: {}, start: 0, end: 2 };
    const serve = (run: () => Promise<never>) =>
      serveShards({ url: redis.url, run, idleSeconds: 2, lockSeconds: 1 });
    const nonsense = { outcomes: [], applied: {}, preprocessed: false, worker: 'x' };
    const served = serve(() => Promise.resolve(nonsense as never));
    const first = runShards(redis.url, [shard]).next();
    await expect(first).rejects.toThrow('the worker sent what is no result');
    const wrong = { ...shard, start: -1 };
    await expect(runShards(redis.url, [wrong]).next()).rejects.toThrow('the shard is not one');
    expect(await served).toBeGreaterThanOrEqual(1);
  }, 60_000);

  test('wrong password: one line, without the password; nothing is kept of the address', async () => {
    const wrong = redis.url.replace('secret', 'guess');
    const args = ['evaluate', options.model, '--images', options.images!, '--labels'];
    const { code, err } = await lastbit(...args, options.labels!, '--queue', wrong);
    expect([code, err]).toEqual([
      2,
      expect.stringMatching(/^error \[queue-unreachable\] redis:\/\/127[^\n]*\n$/),
    ]);
    expect(err).not.toContain('guess');
    startWorker(redis.url, 'only');
    const out = join(folder, 'kept');
    const more = ['--limit', '20', '--out', out, '--queue', redis.url];
    const document = JSON.stringify(await lastbitJson(...args, options.labels!, ...more));
    expect(document + readFileSync(join(out, 'lastbit.json'), 'utf8')).not.toContain('secret');
  }, 60_000);
});

test.each([
  ['nobody there', 'redis://127.0.0.1:1', 'queue-unreachable'],
  ['no address', 'localhost:6379', 'bad-value'],
  ['another protocol', 'http://localhost', 'bad-value'],
])('%s: one line', async (_, url, code) => {
  for (const command of ['worker', 'evaluate']) {
    const { model, images, labels } = options;
    const rest = command === 'worker' ? [] : [model, '--images', images!, '--labels', labels!];
    const { code: exit, err } = await lastbit(command, ...rest, '--queue', url);
    expect([exit, err]).toEqual([2, expect.stringContaining(`[${code}]`)]);
    expect(err.trim().split('\n')).toHaveLength(1);
  }
});
