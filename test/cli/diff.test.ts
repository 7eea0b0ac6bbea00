// SPDX-License-Identifier: Apache-2.0
// diff, compare-dump and targets from files, on a small network of two convolutions.
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { readNpy, writeNpy } from '../../src/data/index.js';
import type { CompareDumpDocument, DiffDocument, RunDocument } from '../../src/report/index.js';
import { writeQdq } from '../../src/onnx/write/qdq.js';
import { convNode, graphOf, value } from '../program/quant-graphs.js';
import { lastbit } from './captured.js';

let folder: string;
const at = (name: string): string => join(folder, name);
const json = (name: string, content: object): string => {
  writeFileSync(at(name), JSON.stringify(content));
  return at(name);
};

/** 4 x 6 pixels of 3 channels; the second layer halves, so ties are everywhere. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lastbit-diff-'));
  const shape = [1, 3, 4, 6];
  const given = { name: 'first', inputs: ['x'], output: 'a' };
  const identity = { ...convNode(3, 3).weight, data: Int8Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1) };
  const graph = graphOf(
    [value('x', shape), value('a', shape), value('b', shape, { scale: 2 })],
    [
      convNode(3, 3, { ...given, weight: identity }),
      convNode(3, 3, { name: 'second', inputs: ['a'], output: 'b', weight: identity }),
    ],
  );
  writeFileSync(at('net.onnx'), writeQdq(graph));
  const codes = Int8Array.from({ length: 72 }, (_, i) => i * 3 - 108);
  writeFileSync(at('x.npy'), writeNpy({ dtype: 's8', shape: [1, 4, 6, 3], data: codes }));
  const code = { kind: 'q31', rule: 'halfAway' };
  json('away.json', { id: 'away@1', extends: 'tflm', arithmetic: { code } });
  json('trap.json', {
    id: 'trap@1',
    extends: 'tflm',
    arithmetic: { code, accumulator: { bits: 16, overflow: 'trap', when: 'each' } },
  });
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const diff = (...targets: string[]) =>
  lastbit(
    'diff',
    at('net.onnx'),
    '--target',
    targets.join(),
    '--input',
    at('x.npy'),
    '--format',
    'json',
  );

describe('diff', () => {
  test('equal targets: exit 0, no first', async () => {
    const { code, out, err } = await diff('tflm', 'tflm-single');
    expect(err).toBe('');
    expect(JSON.parse(out)).toMatchObject({ first: null, images: 1 });
    expect(code).toBe(0);
  });

  test('a difference: exit 1, layer, count, LSB, cause', async () => {
    const { code, out } = await diff('tflm-single', at('away.json'));
    expect(code).toBe(1);
    const document = JSON.parse(out) as DiffDocument;
    expect(document.targets[1]).toBe('away@1');
    expect(document.evidence['away@1']).toBe('unverified');
    // Odd negative codes: -105, -99 ... -3.
    expect(document.first).toMatchObject({
      layer: 'second',
      op: 'conv',
      elements: 72,
      differing: 18,
      maxLsb: 1,
      cause: 'tie rounding',
      alone: true,
    });
    expect(document.layers.map(({ name }) => name)).toEqual(['x', 'first', 'second']);
    const human = await lastbit(
      'diff',
      at('net.onnx'),
      '--target',
      `tflm-single,${at('away.json')}`,
      '--input',
      at('x.npy'),
    );
    expect(human.out).toContain('18 of 72 codes, at most 1 LSB');
    expect(human.out).toContain('tie rounding, which alone explains it');
  });

  test('targets that cannot are listed; fewer than two: exit 3', async () => {
    const three = await diff('tflm', 'pow2', 'tflite-u8');
    expect(three.code).toBe(0);
    expect(JSON.parse(three.out)).toMatchObject({
      refused: [{ target: expect.stringMatching(/u8/) as string }],
    });
    const two = await diff('tflm', 'tflite-u8');
    expect(two.code).toBe(3);
    expect(two.err).toMatch(/"code":"too-few-targets".*activations must be u8/);
    expect((await diff('tflm')).err).toMatch(/"code":"too-few-targets","where":"--target"/);
    expect((await diff('tflm', 'tpu')).code).toBe(2);
  });

  test('a .lbp is bound to its target', async () => {
    await lastbit('convert', at('net.onnx'), '-o', at('net.lbp'), '--target', 'tflm');
    const { code, err } = await lastbit(
      'diff',
      at('net.lbp'),
      '--target',
      'tflm,pow2',
      '--input',
      at('x.npy'),
    );
    expect(code).toBe(2);
    expect(err).toMatch(/^error \[program-bound\] .*net\.lbp/);
  });
});

describe('a target of a file', () => {
  test('targets shows it as unverified', async () => {
    const { code, out } = await lastbit('targets', at('away.json'));
    expect(code).toBe(0);
    expect(out).toMatch(/target\s+away@1\n/);
    expect(out).toMatch(/evidence\s+unverified\n/);
  });

  test('run says emulated, never exact', async () => {
    const { code, out } = await lastbit(
      'run',
      at('net.onnx'),
      '--target',
      at('away.json'),
      '--input',
      at('x.npy'),
    );
    expect(code).toBe(0);
    expect(out).toContain('away@1 (emulated: the profile is unverified)');
    expect(out).not.toMatch(/exact/i);
  });

  test('a trap: layer, element, operands, exit 1', async () => {
    const weight = { ...convNode(1, 2).weight, data: Int8Array.of(127, 127) };
    // -128 * 127 twice is -32512; with -300 more it leaves 16 bits.
    const codes = Int8Array.of(127, 127, -128, -128, 1, 1);
    writeFileSync(at('big.npy'), writeNpy({ dtype: 's8', shape: [1, 1, 3, 2], data: codes }));
    const run = async (bias: number) => {
      const one = graphOf(
        [value('x', [1, 2, 1, 3]), value('y', [1, 1, 1, 3], { scale: 256 })],
        [convNode(1, 2, { weight, bias: Int32Array.of(bias) })],
      );
      writeFileSync(at('big.onnx'), writeQdq(one));
      return lastbit(
        'run',
        at('big.onnx'),
        '--target',
        at('trap.json'),
        '--input',
        at('big.npy'),
        '--format',
        'json',
      );
    };
    expect((await run(7)).code).toBe(0);
    const { code, out } = await run(-300);
    expect(code).toBe(1);
    expect((JSON.parse(out) as RunDocument).trap).toEqual({
      layer: 'conv',
      element: 1,
      value: '-32812',
      position: [0, 1, 0],
      operands: '-32512 + bias -300',
    });
  });

  test('mistakes: exit 2, one line', async () => {
    const run = (file: string) =>
      lastbit('run', at('net.onnx'), '--target', file, '--input', at('x.npy'));
    const bad = json('bad.json', {
      id: 'a@1',
      extends: 'tflm',
      arithmetic: { accumulator: { bits: 8 } },
    });
    for (const [file, text] of [
      [at('none.json'), /^error \[no-such-file\] .*none\.json/],
      [bad, /^error \[bad-target\] .*bad\.json: "arithmetic.accumulator.bits".*got 8/],
    ] as const) {
      const { code, err } = await run(file);
      expect(code).toBe(2);
      expect(err).toMatch(text);
      expect(err.trim().split('\n')).toHaveLength(1);
    }
  });
});

describe('compare-dump', () => {
  let dumps: string;
  beforeEach(async () => {
    dumps = mkdtempSync(join(folder, 'dumps-'));
    const out = join(dumps, 'out');
    const ran = await lastbit(
      'run',
      at('net.onnx'),
      '--target',
      'tflm',
      '--input',
      at('x.npy'),
      '--taps',
      'all',
      '--out',
      out,
    );
    expect(ran.code).toBe(0);
    for (const file of readdirSync(out).filter((name) => name.endsWith('.npy'))) {
      cpSync(join(out, file), join(dumps, file.replace(/^\d+-/, '')));
    }
    rmSync(out, { recursive: true });
  });
  const compare = async (...more: string[]) => {
    const result = await lastbit(
      'compare-dump',
      at('net.onnx'),
      dumps,
      '--target',
      'tflm',
      '--input',
      at('x.npy'),
      '--format',
      'json',
      ...more,
    );
    return {
      ...result,
      document: (result.out === '' ? {} : JSON.parse(result.out)) as CompareDumpDocument,
    };
  };
  const b = () => readNpy(readFileSync(join(dumps, 'b.npy')), 'b').data as Int8Array;
  const nchw = (codes: ArrayLike<number>): number[] =>
    Array.from({ length: 72 }, (_, i) => codes[(i % 24) * 3 + Math.floor(i / 24)]!);

  test('a name of more than 80 characters is matched whole, and by its last 80', async () => {
    const path = (start: string) => `${start}/${'block/'.repeat(20)}conv`;
    const [first, second] = [path('stage_a'), path('stage_b')];
    const shape = [1, 3, 4, 6];
    const graph = graphOf(
      [value('x', shape), value(first, shape), value(second, shape, { scale: 2 })],
      [
        convNode(3, 3, { name: 'a', output: first }),
        convNode(3, 3, { name: 'b', inputs: [first], output: second }),
      ],
    );
    writeFileSync(at('long.onnx'), writeQdq(graph));
    const names = (name: string) => name.replaceAll('/', '_');
    const dump = async (file: string) => {
      const out = mkdtempSync(join(folder, 'long-'));
      writeFileSync(join(out, `${file}.bin`), new Uint8Array(72));
      const args = ['--target', 'tflm', '--input', at('x.npy'), '--format', 'json'];
      const { out: text, err } = await lastbit('compare-dump', at('long.onnx'), out, ...args);
      return `${text}${err}`;
    };
    expect(await dump(names(second))).toContain(`"file": "${names(second)}.bin"`);
    // Both end alike, so that the end tells neither.
    expect(await dump(names(second).slice(-80))).not.toContain('"layers": [\n    {');
  });

  test('what run wrote equals the target', async () => {
    const { code, document, err } = await compare();
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(document.first).toBeNull();
    expect(document.layers.map(({ name, layout }) => [name, layout])).toEqual([
      ['x', 'NHWC'],
      ['first', 'NHWC'],
      ['second', 'NHWC'],
    ]);
    expect(document).toMatchObject({ unmatched: [], missing: [] });
  });

  test('first layer, counts, positions; files without layer and layers without file', async () => {
    const codes = b();
    codes[3 * (6 + 2) + 1]! += 2;
    rmSync(join(dumps, 'a.npy'));
    writeFileSync(
      join(dumps, 'b.npy'),
      writeNpy({ dtype: 's8', shape: [1, 4, 6, 3], data: codes }),
    );
    writeFileSync(join(dumps, 'other.bin'), 'x');
    const { code, document } = await compare();
    expect(code).toBe(1);
    expect(document.first).toMatchObject({ name: 'second', differing: 1, maxLsb: 2, elements: 72 });
    expect(document.first!.positions).toEqual([
      { y: 1, x: 2, channel: 1, expected: codes[25]! - 2, got: codes[25]! },
    ]);
    expect(document).toMatchObject({ unmatched: ['other.bin'], missing: ['a'] });
  });

  test.each([
    [
      'NCHW by its shape',
      (c: Int8Array) => ({
        name: 'b.npy',
        bytes: writeNpy({ dtype: 's8', shape: [3, 4, 6], data: Int8Array.from(nchw(c)) }),
      }),
      'NCHW',
      'shape',
      'codes',
    ],
    [
      'NCHW .bin by its values',
      (c: Int8Array) => ({
        name: 'second.bin',
        bytes: new Uint8Array(Int8Array.from(nchw(c)).buffer),
      }),
      'NCHW',
      'values',
      'codes',
    ],
    [
      's32 .bin',
      (c: Int8Array) => ({ name: 'second.bin', bytes: new Uint8Array(Int32Array.from(c).buffer) }),
      'NHWC',
      'values',
      'codes',
    ],
    [
      'reals',
      (c: Int8Array) => ({
        name: 'b.npy',
        bytes: writeNpy({
          dtype: 'f32',
          shape: [4, 6, 3],
          data: Float32Array.from(c, (x) => x * 2),
        }),
      }),
      'NHWC',
      'shape',
      'reals',
    ],
    [
      'float32 .bin of reals',
      (c: Int8Array) => ({
        name: 'second.bin',
        bytes: new Uint8Array(Float32Array.from(c, (x) => x * 2).buffer),
      }),
      'NHWC',
      'values',
      'reals',
    ],
  ] as const)('%s: equal, and said', async (_, make, layout, layoutFrom, read) => {
    const { name, bytes } = make(b());
    rmSync(join(dumps, 'b.npy'));
    writeFileSync(join(dumps, name), bytes);
    const { code, document } = await compare();
    expect(document.layers.at(-1)).toMatchObject({ differing: 0, layout, layoutFrom, read });
    expect(code).toBe(0);
  });

  test.each([
    [
      'unsigned codes',
      (c: Int8Array) => Int16Array.from(c, (x) => x + 128),
      /off by \+128.*zero point/,
    ],
    [
      'another zero point',
      (c: Int8Array) => Int16Array.from(c, (x) => x - 3),
      /off by -3: another zero point/,
    ],
    [
      'height and width swapped',
      (c: Int8Array) =>
        Int16Array.from({ length: 72 }, (_, i) => {
          const [ch, p] = [i % 3, Math.floor(i / 3)];
          return c[((p % 4) * 6 + Math.floor(p / 4)) * 3 + ch]!;
        }),
      /height and width are swapped/,
    ],
    [
      'one LSB',
      (c: Int8Array) => Int16Array.from(c, (x, i) => x + (i % 7 === 0 ? 1 : 0)),
      /differences of 1/,
    ],
  ] as const)('hint: %s', async (_, change, hint) => {
    writeFileSync(
      join(dumps, 'b.npy'),
      writeNpy({ dtype: 's16', shape: [4, 6, 3], data: change(b()) }),
    );
    const { code, document } = await compare();
    expect(code).toBe(1);
    expect(document.first!.hints.join('; ')).toMatch(hint);
  });

  test('mistakes', async () => {
    renameSync(join(dumps, 'a.npy'), join(dumps, '001-b.npy'));
    expect((await compare()).err).toMatch(/"code":"two-dumps"/);
    rmSync(join(dumps, '001-b.npy'));
    writeFileSync(
      join(dumps, 'b.npy'),
      writeNpy({ dtype: 's8', shape: [4], data: new Int8Array(4) }),
    );
    const size = await compare();
    expect([size.code, size.err]).toEqual([
      3,
      expect.stringMatching(/"code":"dump-size".*expected 72 numbers/),
    ]);
    const empty = at('empty');
    mkdirSync(empty);
    const none = await lastbit('compare-dump', at('net.onnx'), empty, '--input', at('x.npy'));
    expect([none.code, none.err]).toEqual([
      3,
      expect.stringMatching(/^error \[no-dumps\].*first\.npy/),
    ]);
    const missing = await lastbit(
      'compare-dump',
      at('net.onnx'),
      at('nowhere'),
      '--input',
      at('x.npy'),
    );
    expect([missing.code, missing.err]).toEqual([
      2,
      expect.stringMatching(/^error \[no-such-folder\]/),
    ]);
  });
});

const data = process.env.LASTBIT_DATA;
const real = data === undefined ? describe.skip : describe;

real(
  `MobileNetV1 1.0 uint8, joined${data === undefined ? ' (LASTBIT_DATA is not set)' : ''}`,
  () => {
    test('tflite-u8 against xnnpack: the first convolution, by double rounding alone', () => {
      const models = join(data!, 'models/quantized');
      const [body, head] = ['backbone', 'head'].map((part) =>
        join(models, `mobilenet_v1_1.0_224_quant_${part}.tflite`),
      );
      // In a process of its own: loops over millions of weights are slow in jest's realm.
      const source = join(__dirname, 'from-source.cjs');
      const run = (...args: string[]) =>
        spawnSync(process.execPath, [source, ...args], { encoding: 'utf8' });
      expect(run('convert', body!, head!, '-o', at('v1.onnx')).status).toBe(0);
      const images = ['--images', join(data!, 'imagenet/val'), '--limit', '1', '--format', 'json'];
      const { status, stdout } = run(
        'diff',
        at('v1.onnx'),
        '--target',
        'tflite-u8,xnnpack',
        ...images,
      );
      expect(status).toBe(1);
      const { first, layers } = JSON.parse(stdout) as DiffDocument;
      expect(first).toMatchObject({
        elements: 112 * 112 * 32,
        differing: 901,
        maxLsb: 1,
        cause: 'double rounding',
        alone: true,
      });
      expect(first!.layer).toMatch(/Conv2d_0/);
      expect(layers).toHaveLength(32);
    });
  },
);
