// SPDX-License-Identifier: Apache-2.0
// `experiment` as a user would call it, on the embedded nets; and CIFAR-10 where it is.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { ExperimentDocument } from '../../src/report/index.js';
import { lastbit, lastbitJson } from './captured.js';

const fashion = join(__dirname, '../../models/fashion');
const images = [
  ...['--images', join(fashion, 'test-images.npy'), '--labels', join(fashion, 'test-labels.npy')],
  ...['--calib', join(fashion, 'calibration-images.npy')],
];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lastbit-experiment-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

test('a document, tables as .csv, and a second call from what was kept', async () => {
  const out = join(folder, 'out');
  const nets = ['mobilenet_v1_fashion', 'sheng_fashion'].map((net) => join(fashion, `${net}.onnx`));
  const size = ['--limit', 40, '--calibration-images', 8, '--out', out];
  const args = ['experiment', 'yun-wong', '--nets', nets.join(','), ...images, ...size];
  const first = await lastbitJson<ExperimentDocument>(...args);
  expect(first).toMatchObject({ experiment: 'yun-wong', images: 40, notes: [] });
  expect(first.claims).toHaveLength(7);
  const [accuracy] = first.tables;
  expect(accuracy!.rows).toHaveLength(6);
  const [head, ...rows] = readFileSync(join(out, 'accuracy.csv'), 'utf8').trimEnd().split('\r\n');
  expect([head, rows.length]).toEqual([accuracy!.columns.join(','), 6]);
  const kept = readdirSync(join(out, 'cache'));
  expect(kept).toHaveLength(2 * 4);

  const again = await lastbitJson<ExperimentDocument>(...args);
  expect({ ...again, seconds: 0 }).toEqual({ ...first, seconds: 0 });
  expect(readdirSync(join(out, 'cache'))).toEqual(kept);
  // What is printed says besides which command it comes from.
  const saved = JSON.parse(readFileSync(join(out, 'result.json'), 'utf8')) as ExperimentDocument;
  expect(again).toMatchObject(saved);
  const text = await lastbit(...args);
  expect(text.out).toContain('Do All MobileNets Quantize Poorly?');
  expect(text.out).toMatch(/(shown|refuted|undecided) +With 8 bits/);
});

test('bad input is one line', async () => {
  const error = async (...args: string[]) => {
    const { code, err } = await lastbit('experiment', ...args);
    return `${code} ${err}`;
  };
  expect(await error('nope', ...images)).toMatch(
    /^2 error \[unknown-experiment\] nope: expected one of yun-wong, sheng, bae/,
  );
  expect(await error('sheng')).toMatch(/^2 error \[missing-option\] --data/);
  expect(await error('sheng', '--data', folder)).toMatch(/^3 error \[no-images\]/);
  expect(await error('sheng', '--nets', 'nope.onnx', ...images)).toMatch(
    /^3 error \[no-such-file\]/,
  );
  const quantized = join(folder, 'quantized.onnx');
  const net = join(fashion, 'sheng_fashion.onnx');
  await lastbitJson('quantize', net, '-o', quantized, '--data-free', '--recipe', 'naive');
  expect(await error('sheng', '--nets', quantized, ...images)).toMatch(/^3 error \[not-float\]/);
});

const cifar = process.env.LASTBIT_CIFAR10;
(cifar !== undefined && existsSync(cifar) ? test : test.skip)(
  'CIFAR-10: the pair parts',
  async () => {
    const args = ['--data', cifar!, '--limit', 500, '--out', join(folder, 'cifar')];
    const { claims } = await lastbitJson<ExperimentDocument>('experiment', 'yun-wong', ...args);
    const verdicts = Object.fromEntries(claims.map(({ id, verdict }) => [id, verdict]));
    expect(verdicts).toMatchObject({ 'loss-4-bits': 'shown', 'loss-5-bits': 'shown' });
  },
);
