// SPDX-License-Identifier: Apache-2.0
// The embedded nets under every target: the integer file in onnxruntime, with its optimizations off
// and on, gives the engine's codes in every tensor.
import { join } from 'node:path';

import { Engine } from '../../src/engine/engine.js';
import { allTargets, lower, quantizeInMemory, type QuantGraph } from '../../src/index.js';
import type { TargetSpec } from '../../src/targets/target.js';
import { randomCodes } from '../program/random-program.js';
import { compareInOnnxruntime, type Executor } from './in-onnxruntime.js';

const fashion = join(__dirname, '../../models/fashion');
const quantized = new Map<string, Promise<QuantGraph>>();

/** Targets that take the same quantized graph share one quantization. */
function quantize(net: string, target: TargetSpec): Promise<QuantGraph> {
  const key = `${net} ${JSON.stringify(target.constraints)}`;
  const known = quantized.get(key);
  if (known !== undefined) return known;
  const made = quantizeInMemory({
    model: join(fashion, `${net}.onnx`),
    calib: join(fashion, 'calibration-images.npy'),
    limit: 1,
    target: target.id,
    recipe: 'naive',
  }).then(({ quantGraph }) => quantGraph);
  quantized.set(key, made);
  return made;
}

const engine: Executor = (program, codes) => {
  const loaded = Engine.load(program, { threads: 1 });
  const result = loaded.runSync(codes, { taps: 'all' });
  loaded.close();
  return result;
};

const all = ['mobilenet_v1_fashion', 'mobilenet_v2_fashion', 'sheng_fashion'].flatMap((net) =>
  allTargets.map((target) => [net, target.id, target] as const),
);
// Each takes a good part of a second: the rest runs with LASTBIT_FULL=1. These differ in kind.
const everyday = ['tflm', 'tflite-u8', 'onnxruntime', 'pow2-u8', 'nvdla', 'k210', 'finn'].map(
  (name) => `mobilenet_v2_fashion ${name}`,
);
const full = process.env.LASTBIT_FULL === '1';
const chosen = all.filter(
  ([net, id, { aliases }]) =>
    full || [id, ...aliases].some((name) => everyday.includes(`${net} ${name}`)),
);

/** Their products of u8 and s8 saturate in pairs. */
const pairing = ['onnxruntime-avx2@1.30', 'fbgemm-avx2@1.13'];

test('the chosen targets are there', () => {
  expect(chosen).toHaveLength(full ? all.length : everyday.length);
});

test.each(chosen)('%s for %s', async (net, id, target) => {
  const program = lower(await quantize(net, target), target);
  const comparison = compareInOnnxruntime(program, [randomCodes(program, 1)], engine);
  if (pairing.includes(id)) {
    await expect(comparison).rejects.toThrow(`target ${id}): pairs of its products saturate`);
    return;
  }
  const { compared, differing } = await comparison;
  expect(differing).toEqual([]);
  expect(compared).toBeGreaterThan(60_000);
});
