// SPDX-License-Identifier: Apache-2.0
// Published schemas, options that a saved config must not carry, and outcomes as CSV.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { parseUserTarget } from '../../src/targets/user-target.js';
import { lastbit, lastbitJson } from './captured.js';

const fashion = join(__dirname, '../../models/fashion');

let folder: string;
let model: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lastbit-schema-'));
  model = join(folder, 'q.onnx');
  const net = join(fashion, 'sheng_fashion.onnx');
  await lastbitJson('quantize', net, '-o', model, '--data-free', '--recipe', 'naive');
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Schema {
  readonly anyOf?: readonly Schema[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean;
}

test('a target: a whole profile, or with `extends` any part of one; unknown keys are none', async () => {
  const { code, out } = await lastbit('schema', 'target');
  expect(code).toBe(0);
  const [part, whole] = (JSON.parse(out) as Schema).anyOf!;
  expect(part!.required).toEqual(['id', 'extends']);
  expect(whole!.required).toEqual(expect.arrayContaining(['id', 'constraints', 'arithmetic']));
  expect([part!.additionalProperties, whole!.additionalProperties]).toEqual([false, false]);
  const { constraints } = part!.properties!;
  expect(constraints!.required).toBeUndefined();
  expect(Object.keys(constraints!.properties!)).toContain('perChannelClamp');
  // What tells objects apart stays required.
  expect(out).toContain('"const": "saturate"');
});

test('"$schema" in a target is for editors', () => {
  const own = { $schema: './target.schema.json', id: 'npu@1', extends: 'tflm' };
  expect(parseUserTarget(JSON.stringify(own), 'npu.json')).toMatchObject({ id: 'npu@1' });
});

test('recipes and golden manifests have one, other names none', async () => {
  const recipe = JSON.parse((await lastbit('schema', 'recipe')).out) as Schema;
  expect(Object.keys(recipe.properties!)).toEqual(
    expect.arrayContaining(['repairVariance', 'equalize', 'weights']),
  );
  const golden = JSON.parse((await lastbit('schema', 'golden')).out) as Schema;
  expect(golden.required).toContain('layers');
  const { code, err } = await lastbit('schema', 'nope');
  expect([code, err]).toEqual([
    2,
    expect.stringContaining('expected one of target, recipe, golden'),
  ]);
});

test('a config that was saved with --overwrite does not replace anything when it is repeated', async () => {
  const out = join(folder, 'again.onnx');
  const net = join(fashion, 'sheng_fashion.onnx');
  const args = ['quantize', net, '-o', out, '--data-free', '--recipe', 'naive'];
  await lastbitJson(...args, '--overwrite');
  const saved = `${out}.lastbit.json`;
  const { quantize } = JSON.parse(readFileSync(saved, 'utf8')) as { quantize: object };
  expect(quantize).not.toHaveProperty('overwrite');
  const { code, err } = await lastbit('quantize', '-c', saved);
  expect([code, err]).toEqual([2, expect.stringContaining('[file-exists]')]);
});

test('outcomes: one line an image, in the order of the labels', async () => {
  const file = join(folder, 'outcomes.csv');
  const images = ['--images', join(fashion, 'test-images.npy')];
  const labels = ['--labels', join(fashion, 'test-labels.npy'), '--limit', 20];
  const float = ['--float', join(fashion, 'sheng_fashion.onnx')];
  const args = ['evaluate', model, ...images, ...labels, '--outcomes', file];
  const { top1, n } = await lastbitJson<{ top1: number; n: number }>(...args, ...float);
  const [head, ...lines] = readFileSync(file, 'utf8').trimEnd().split('\r\n');
  expect(head).toBe('file,label,top,rank,tiedAtTop,floatTop,floatRank');
  const cells = lines.map((line) => line.split(','));
  expect(cells).toHaveLength(n);
  expect(cells[3]![0]).toBe('test-images.npy#3');
  expect((100 * cells.filter(([, , , rank]) => rank === '0').length) / n).toBe(top1);
  expect(cells.every(([, label, top, rank]) => (label === top) === (rank === '0'))).toBe(true);
  const again = await lastbit(...args);
  expect([again.code, again.err]).toEqual([2, expect.stringContaining('[file-exists]')]);
  await lastbitJson(...args, '--overwrite');
  expect(readFileSync(file, 'utf8').split('\r\n')[1]).toMatch(/,,$/);
});

describe('a target to begin with', () => {
  const file = (): string => join(folder, 'my-npu.json');
  const schema = (): string => join(folder, 'my-npu.schema.json');

  test('is written with its schema, and is taken wherever a target is named', async () => {
    const begun = await lastbitJson('targets', '--init', file(), '--target', 'tflm');
    expect(begun).toMatchObject({ output: file(), schema: schema(), target: 'my-npu@1' });
    expect(JSON.parse(readFileSync(schema(), 'utf8'))).toMatchObject({ title: 'lastbit target' });
    const shown = await lastbit('targets', file());
    expect([shown.code, shown.out]).toEqual([0, expect.stringContaining('my-npu@1')]);
    const { accepted } = await lastbitJson<{ accepted: object }>(
      'inspect',
      model,
      '--target',
      file(),
    );
    expect(accepted).toEqual({ target: 'my-npu@1', ok: true });
  });

  test('replaces nothing', async () => {
    const before = readFileSync(file(), 'utf8');
    const { code, err } = await lastbit('targets', '--init', file());
    expect([code, err]).toEqual([2, expect.stringContaining('[file-exists]')]);
    expect(readFileSync(file(), 'utf8')).toBe(before);
  });

  test.each(['npu', 'My NPU.json', '.json'])('%s is no name for it', async (name) => {
    const { code, err } = await lastbit('targets', '--init', join(folder, name));
    expect([code, err]).toEqual([2, expect.stringContaining('expected a file such as npu.json')]);
  });
});

test('inspect --target: what a target refuses, and why; exit 1', async () => {
  const refused = await lastbit('inspect', model, '--target', 'tflite-u8');
  expect(refused.code).toBe(1);
  expect(refused.out).toMatch(/litert-u8@\S+ +refuses it: .*activations must be u8/);
  const float = join(fashion, 'mobilenet_v1_fashion.onnx');
  expect((await lastbit('inspect', float, '--target', 'dpu')).out).toMatch(/dpu\S* +takes it/);
});
