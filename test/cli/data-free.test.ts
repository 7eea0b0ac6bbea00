// SPDX-License-Identifier: Apache-2.0
// `quantize --data-free` on the embedded network, as a user would call it.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type {
  EvaluateDocument,
  InspectDocument,
  QuantizeDocument,
} from '../../src/report/index.js';
import { lastbit, lastbitJson } from './captured.js';

const fashion = join(__dirname, '../../models/fashion');
const float = join(fashion, 'mobilenet_v1_fashion.onnx');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lastbit-data-free-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

test('without an image the embedded network keeps its accuracy, and twice the same bytes come out', async () => {
  const first = join(folder, 'first.onnx');
  const options = ['--data-free', '--target', 'q31-pc', '--weights', 'per-tensor'];
  const made = await lastbitJson<QuantizeDocument>('quantize', float, '-o', first, ...options);
  expect(made.images).toBe(0);
  expect(made.preprocess).toBe('tf');
  expect(made.steps[0]).toMatchObject({ name: 'data-free' });
  const { metadata } = await lastbitJson<InspectDocument>('inspect', first);
  expect(metadata['lastbit.calibration']).toBe('data-free');
  const second = join(folder, 'second.onnx');
  await lastbitJson('quantize', float, '-o', second, ...options);
  expect(readFileSync(first).equals(readFileSync(second))).toBe(true);
  const { paired } = await lastbitJson<EvaluateDocument>(
    'evaluate',
    first,
    '--images',
    join(fashion, 'test-images.npy'),
    '--labels',
    join(fashion, 'test-labels.npy'),
    '--float',
    float,
    '--limit',
    200,
  );
  expect(paired!.delta).toBeGreaterThan(-2.5);
});

test.each([
  ['both sources', ['--data-free', '--calib', fashion], 'clash'],
  ['neither', [], 'missing-option'],
])('%s of statistics are an error', async (_, options, code) => {
  const output = join(folder, 'none.onnx');
  const { code: exit, err } = await lastbit('quantize', float, '-o', output, ...options);
  expect([exit, existsSync(output)]).toEqual([2, false]);
  expect(err).toContain(`[${code}]`);
  expect(err).toContain('--data-free');
});
