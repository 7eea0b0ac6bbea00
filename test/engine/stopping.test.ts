// SPDX-License-Identifier: Apache-2.0
// Long runs end soon when they are asked to, leave libuv's threads to others and give memory back.
import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { findEngine } from '../../src/engine/find-engine.js';
import { encode, Engine, findTarget, lower } from '../../src/index.js';
import type { Program } from '../../src/index.js';
import { convNode, graphOf, value } from '../program/quant-graphs.js';

const root = join(__dirname, '../..');

/** 3 x 3 convolutions of 64 channels over 96 x 96 pixels: 340 M products each. */
function slowProgram(layers: number): Program {
  const names = Array.from({ length: layers + 1 }, (_, i) => `v${i}`);
  const weight = {
    ...convNode(64, 64).weight,
    shape: [64, 64, 3, 3],
    data: new Int8Array(64 * 64 * 9).fill(1),
    scales: Float32Array.of(1 / 512),
  };
  return lower(
    graphOf(
      names.map((name) => value(name, [1, 64, 96, 96])),
      names.slice(1).map((output, i) =>
        convNode(64, 64, {
          name: `conv${i}`,
          inputs: [names[i]!],
          output,
          kernel: [3, 3],
          pads: [1, 1, 1, 1],
          weight,
        }),
      ),
    ),
    findTarget('tflm'),
  );
}

/** Some 20 s by reference kernels. */
const slow = slowProgram(60);
const codes = new Int8Array(64 * 96 * 96).fill(3);

const secondsOf = async (action: () => Promise<unknown>): Promise<number> => {
  const started = performance.now();
  await action();
  return (performance.now() - started) / 1000;
};

describe('AbortSignal', () => {
  let engine: Engine;
  beforeAll(() => {
    engine = Engine.load(slow, { reference: true, threads: 2 });
  });
  afterAll(() => {
    engine.close();
  });

  test('ends a run, those that wait and runMany, with the reason of the signal', async () => {
    const reason = new Error('enough');
    for (const start of [
      (signal: AbortSignal) => engine.run(codes, { signal }),
      (signal: AbortSignal) => engine.runMany([codes, codes, codes], { signal }),
    ]) {
      const controller = new AbortController();
      const runs = [start(controller.signal), start(controller.signal)];
      await new Promise((resolve) => setTimeout(resolve, 50));
      const taken = await secondsOf(async () => {
        controller.abort(reason);
        for (const run of runs) await expect(run).rejects.toBe(reason);
      });
      expect(taken).toBeLessThan(5);
    }
  });

  test('one that has ended already starts nothing', async () => {
    await expect(engine.run(codes, { signal: AbortSignal.abort() })).rejects.toThrow('aborted');
  });

  test('one run ends, the next one is whole', async () => {
    const quick = Engine.load(slowProgram(1), { threads: 2 });
    const expected = quick.runSync(codes).outputs[0]!.data;
    const controller = new AbortController();
    const first = quick.run(codes, { signal: controller.signal });
    controller.abort();
    await first.catch((error: unknown) => {
      expect((error as Error).name).toBe('AbortError');
    });
    expect((await quick.run(codes, {})).outputs[0]!.data).toEqual(expected);
    quick.close();
  });
});

test('other work of the process goes on while many runs are queued', async () => {
  const engines = Array.from({ length: 6 }, () => Engine.load(slow, { reference: true }));
  const controller = new AbortController();
  const { signal } = controller;
  const runs = engines.map((engine) => engine.run(codes, { signal }));
  // With libuv's four threads taken this would wait for a whole run.
  const taken = await secondsOf(() => stat(root));
  expect(taken).toBeLessThan(5);
  controller.abort();
  expect((await Promise.allSettled(runs)).every(({ status }) => status === 'rejected')).toBe(true);
  for (const engine of engines) engine.close();
});

describe('in the middle of a run', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lastbit-stopping-'));
  const program = join(folder, 'slow.lbp');
  writeFileSync(program, encode(slow));
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });
  const start = `
    const addon = require(${JSON.stringify(findEngine().path)});
    const bytes = require('node:fs').readFileSync(${JSON.stringify(program)});
    const engine = new addon.Engine(bytes, 2, '', true);
    const { outputs } = engine.info();
    const run = () => engine.run(new Int8Array(64 * 96 * 96), [outputs[0]], [new Int8Array(64 * 96 * 96)]);
    for (let i = 0; i < 4; ++i) run().catch(() => undefined);`;

  test('worker.terminate() returns', async () => {
    const worker = new Worker(
      `${start} require('node:worker_threads').parentPort.postMessage(1);`,
      {
        eval: true,
      },
    );
    await new Promise((resolve) => worker.once('message', resolve));
    expect(await secondsOf(() => worker.terminate())).toBeLessThan(5);
  });

  test('process.exit() ends the process with its code', async () => {
    const script = `${start} setTimeout(() => process.exit(7), 50);`;
    const run = promisify(execFile)(process.execPath, ['-e', script], {
      cwd: root,
      timeout: 15000,
    });
    await expect(run).rejects.toMatchObject({ code: 7 });
  });

  test('an engine that is closed and forgotten ends its runs first', async () => {
    const script = `${start.replace('< 4', '< 0')}
      const quick = new addon.Engine(bytes, 2, '', false);
      quick.run(new Int8Array(64 * 96 * 96), [outputs[0]], [new Int8Array(64 * 96 * 96)])
        .then((outcome) => console.log('outcome', outcome));
      quick.close();`;
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], { cwd: root });
    expect(stdout).toBe('outcome null\n');
  }, 60_000);
});

test('engines that are dropped without close() give their memory back', async () => {
  // Each holds some 5 MiB outside of V8's heap, which would come to 750 MiB.
  const script = `
    const addon = require(${JSON.stringify(findEngine().path)});
    const bytes = Buffer.from(process.argv[1], 'base64');
    const rss = () => process.memoryUsage().rss / 2 ** 20;
    (async () => {
      for (let i = 0; i < 20; ++i) new addon.Engine(bytes, 1, '', false);
      await new Promise((resolve) => setTimeout(resolve, 10));
      const before = rss();
      let most = 0;
      for (let i = 0; i < 150; ++i) {
        new addon.Engine(bytes, 1, '', false);
        await new Promise((resolve) => setImmediate(resolve));
        most = Math.max(most, rss());
      }
      console.log(Math.round(most - before));
    })();`;
  const bytes = Buffer.from(encode(slowProgram(1))).toString('base64');
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script, bytes], {
    cwd: root,
  });
  expect(Number(stdout)).toBeLessThan(300);
}, 60_000);

/** ES2024, which the types of this project do not know yet. */
function resizable(size: number): ArrayBuffer {
  const Buffer_ = ArrayBuffer as new (
    length: number,
    options: { readonly maxByteLength: number },
  ) => ArrayBuffer;
  return new Buffer_(size, { maxByteLength: 2 * size });
}

describe('memory that a run cannot hold on to', () => {
  const engine = Engine.load(slowProgram(1));
  afterAll(() => {
    engine.close();
  });
  const size = codes.length;

  test.each<[string, () => Int8Array]>([
    ['shared-memory', () => new Int8Array(new SharedArrayBuffer(size))],
    ['resizable-memory', () => new Int8Array(resizable(size))],
    [
      'detached-memory',
      () => {
        const array = new Int8Array(size);
        structuredClone(array.buffer, { transfer: [array.buffer] });
        return array;
      },
    ],
  ])('%s', async (code, make) => {
    expect(() => engine.runSync(make())).toThrow(`[${code}] the input array`);
    await expect(engine.run(make())).rejects.toThrow(`[${code}]`);
    expect(() => engine.runSync(codes, { outputs: [make()] })).toThrow(`[${code}]`);
  });
});
