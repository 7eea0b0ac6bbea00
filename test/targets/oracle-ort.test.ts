// SPDX-License-Identifier: Apache-2.0
// Networks that onnxruntime's quantize_static made (u8 activations, s8 weights per channel), against
// onnxruntime-node's own codes on three processors, every activation by hash.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readNpy } from '../../src/data/npy.js';
import { Engine } from '../../src/engine/engine.js';
import type { Codes } from '../../src/numeric/code-types.js';
import { readOnnx } from '../../src/onnx/file/reader.js';
import { importQuantized } from '../../src/onnx/quantized/import.js';
import { quantizeInput } from '../../src/program/input.js';
import { lower } from '../../src/program/lower.js';
import { findTarget } from '../../src/targets/index.js';

const folder = join(__dirname, '../golden/mobilenet_fashion');
const models = ['v2_qdq', 'v2_qop'];
const targets = ['onnxruntime', 'onnxruntime-avx2', 'onnxruntime-sse41'];

interface Golden {
  readonly inputs: string;
  readonly images: number;
  readonly tensors: readonly {
    readonly name: string;
    readonly aliases: readonly string[];
    readonly values: number;
    readonly sha256: string;
  }[];
}

/** Images 100 to 119 of the calibration set, as ort_quantize.py writes them: f32, NCHW. */
function realImages(count: number): readonly Float32Array[] {
  const file = join(__dirname, '../../models/fashion/calibration-images.npy');
  const { shape, data } = readNpy(readFileSync(file), file);
  const area = shape[1]! * shape[2]!;
  return Array.from({ length: count }, (_, i) =>
    Float32Array.from(
      { length: 3 * area },
      (_, k) => Number(data[(100 + i) * area + (k % area)]) / 255,
    ),
  );
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Codes | Float32Array) =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Tensors whose codes under `target` are not the golden's. */
function wrongTensors(model: string, target: string, against = target) {
  const golden = JSON.parse(readFileSync(join(folder, against, `${model}.json`), 'utf8')) as Golden;
  const graph = importQuantized(readOnnx(readFileSync(join(folder, `${model}.onnx`))));
  const program = lower(graph, findTarget(target));
  const engine = Engine.load(program);
  const hashes = new Map(golden.tensors.map((t) => [t, createHash('sha256')]));
  const inputs = createHash('sha256');
  const names = new Set<string>();
  for (const image of realImages(golden.images)) {
    inputs.update(bytesOf(image));
    const { taps } = engine.runSync(quantizeInput(program, image), { taps: 'all' });
    for (const [tensor, hash] of hashes) {
      const name = [tensor.name, ...tensor.aliases].find((known) => taps.has(known));
      if (name === undefined) continue;
      names.add(name);
      hash.update(bytesOf(taps.get(name)!.data));
    }
  }
  engine.close();
  expect(inputs.digest('hex')).toBe(golden.inputs);
  // All but the input itself.
  expect(names.size).toBeGreaterThanOrEqual(program.tensors.length - 1);
  return [...hashes]
    .filter(([tensor, hash]) => hash.digest('hex') !== tensor.sha256)
    .map(([{ name }]) => name)
    .filter((name) => !name.startsWith('input_'));
}

describe.each(models)('quantize_static %s', (model) => {
  test.each(targets)('%s: every activation of 20 images', (target) => {
    expect(wrongTensors(model, target)).toEqual([]);
  });

  test('without VNNI, saturated pairs change most tensors', () => {
    expect(wrongTensors(model, 'onnxruntime', 'onnxruntime-avx2').length).toBeGreaterThan(10);
    expect(existsSync(join(folder, 'PROVENANCE.json'))).toBe(true);
  });
});
