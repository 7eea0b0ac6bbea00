// SPDX-License-Identifier: Apache-2.0
// `analyze` on the embedded network, as a user would call it.
import { join } from 'node:path';

import type { AnalyzeDocument } from '../../src/report/index.js';
import { lastbit, lastbitJson } from './captured.js';

const fashion = join(__dirname, '../../models/fashion');
const float = join(fashion, 'mobilenet_v1_fashion.onnx');
const images = join(fashion, 'test-images.npy');

test('weights alone, batch norms, images: the same weights, more and more of the rest', async () => {
  const weights = await lastbitJson<AnalyzeDocument>('analyze', float);
  const derived = await lastbitJson<AnalyzeDocument>('analyze', float, '--data-free');
  const seen = await lastbitJson<AnalyzeDocument>(
    'analyze',
    float,
    '--images',
    images,
    '--limit',
    20,
  );
  expect([weights.seenBy, derived.seenBy, seen.seenBy]).toEqual(['weights', 'data-free', 'images']);
  expect([weights.images, derived.images, seen.images]).toEqual([0, 0, 20]);
  expect(weights.notes[0]).toContain('--images');
  expect(seen.preprocess).toBe('tf');
  for (const { name, weights: own, normalization } of weights.layers) {
    const other = seen.layers.find((layer) => layer.name === name)!;
    expect(other.weights).toMatchObject(own!);
    expect(other.normalization).toEqual(normalization);
    expect(other.activations!.noisePercent!.perTensor).toBeGreaterThanOrEqual(0);
  }
});

test('for people: findings with a remedy, kinds, every layer, a legend', async () => {
  const { out, code } = await lastbit('analyze', float, '--data-free');
  expect(code).toBe(0);
  for (const part of ['remedy: ', 'kind ', 'depthwise', 'w prec', 'clamped', 'alpha:', 'noise:']) {
    expect(out).toContain(part);
  }
});

test.each([
  ['both sources', [float, '--images', images, '--data-free'], 2, 'clash'],
  ['a file that is not there', [join(fashion, 'missing.onnx')], 3, 'no-such-file'],
  ['a folder that is none', [float, '--images', join(fashion, 'none')], 3, 'none'],
])('%s: one clear line', async (_, args, exit, what) => {
  const { code, err, out } = await lastbit('analyze', ...args);
  expect([code, out]).toEqual([exit, '']);
  expect(err.trim().split('\n').at(-1)).toContain(what);
});
