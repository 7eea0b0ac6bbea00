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
