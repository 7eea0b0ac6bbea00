// SPDX-License-Identifier: Apache-2.0
// The committed models and images are what models/manifest.json says they are.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

import * as ort from 'onnxruntime-node';

import { readNpy } from '../../src/data/npy.js';
import { findPreset, normalize, pixelValues } from '../../src/data/presets.js';
import { opsetOf } from '../../src/onnx/file/model.js';
import { readOnnx } from '../../src/onnx/file/reader.js';

interface ModelEntry {
  readonly id: string;
  readonly file: string;
  readonly report: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly opset: number;
  readonly batchNorms: number;
  readonly preprocess: string;
  readonly top1: { readonly first1000: number; readonly all10000: number };
}

interface DataEntry {
  readonly file: string;
  readonly sha256: string;
  readonly shape: readonly number[];
}

interface Report {
  readonly sha256: string;
  readonly top1: { readonly first1000: number; readonly all10000: number };
  readonly simulated8Bit10000: { readonly perTensor: number; readonly perChannel: number };
}

const folder = join(__dirname, '../../models');
const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as {
  readonly models: readonly ModelEntry[];
  readonly data: readonly DataEntry[];
};

const read = (file: string) => readFileSync(join(folder, file));
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const report = (model: ModelEntry) => JSON.parse(read(model.report).toString('utf8')) as Report;

/** Grey [N,32,32,1] to f32 NCHW with three equal channels, image i. */
function networkInput(images: Uint8Array, index: number, preprocess: string): Float32Array {
  const grey = images.subarray(index * 1024, (index + 1) * 1024);
  const rgb = Uint8Array.from({ length: 3 * 1024 }, (_, i) => grey[Math.floor(i / 3)]!);
  return normalize(rgb, 3, pixelValues(findPreset(preprocess), 3));
}

/** Top-1 in percent over the packed test images; ties go to the lower class. */
async function floatTop1(model: ModelEntry): Promise<number> {
  const session = await ort.InferenceSession.create(read(model.file), {
    graphOptimizationLevel: 'disabled',
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  });
  const images = readNpy(read('fashion/test-images.npy'), 'test-images').data as Uint8Array;
  const labels = readNpy(read('fashion/test-labels.npy'), 'test-labels').data as Uint8Array;
  let hits = 0;
  for (const [index, label] of labels.entries()) {
    const input = networkInput(images, index, model.preprocess);
    const results = await session.run({ input: new ort.Tensor('float32', input, [1, 3, 32, 32]) });
    const logits = Array.from(results.logits!.data as Float32Array);
    if (logits.indexOf(Math.max(...logits)) === label) hits++;
  }
  await session.release();
  return (100 * hits) / labels.length;
}

describe.each(manifest.models)('$id', (model) => {
  test('is the file that the manifest and the training report name', () => {
    const bytes = read(model.file);
    expect(bytes.length).toBe(model.bytes);
    expect(sha256(bytes)).toBe(model.sha256);
    expect(report(model).sha256).toBe(model.sha256);
    expect(report(model).top1).toEqual(model.top1);
  });

  test('is a float model of the stated opset, batch norms unfolded', () => {
    const onnx = readOnnx(read(model.file));
    const norms = onnx.graph.nodes.filter((node) => node.op === 'BatchNormalization');
    expect(norms.length).toBe(model.batchNorms);
    expect(opsetOf(onnx)).toBe(model.opset);
    expect(onnx.metadata.get('lastbit.preprocess')).toBe(model.preprocess);
  });

  test('has the stated accuracy on the 1,000 packed images in onnxruntime', async () => {
    expect(await floatTop1(model)).toBe(model.top1.first1000);
  });
});

test('the original block collapses in 8 bits per tensor, Sheng et al.’s does not', () => {
  const [original, friendly] = ['mobilenet_v1_fashion', 'sheng_fashion'].map((id) =>
    report(manifest.models.find((model) => model.id === id)!),
  );
  expect(original!.top1.all10000 - original!.simulated8Bit10000.perTensor).toBeGreaterThan(10);
  expect(original!.top1.all10000 - original!.simulated8Bit10000.perChannel).toBeLessThan(1);
  expect(friendly!.top1.all10000 - friendly!.simulated8Bit10000.perTensor).toBeLessThan(1);
});

test.each(manifest.data)('$file is the file that the manifest names', ({ file, ...entry }) => {
  expect(sha256(read(file))).toBe(entry.sha256);
  expect(readNpy(read(file), file).shape).toEqual(entry.shape);
});

test('every class occurs among the test images and among the calibration images', () => {
  for (const name of ['test', 'calibration']) {
    const labels = readNpy(read(`fashion/${name}-labels.npy`), name).data as Uint8Array;
    expect(new Set(labels).size).toBe(10);
  }
});

test('the embedded folder stays below 5 MB', () => {
  const sizes = readdirSync(join(folder, 'fashion')).map(
    (file) => statSync(join(folder, 'fashion', file)).size,
  );
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(5e6);
});
