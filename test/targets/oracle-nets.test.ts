// SPDX-License-Identifier: Apache-2.0
// Whole networks against what real runtimes computed: every activation of every image, by hash.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Engine } from '../../src/engine/engine.js';
import type { Codes } from '../../src/numeric/code-types.js';
import { lower } from '../../src/program/lower.js';
import { findTarget } from '../../src/targets/index.js';
import { importTflite } from '../../src/tflite/import.js';
import { goldenInputs } from '../oracles/inputs.cjs';

const data = process.env.LASTBIT_DATA;
const real = data === undefined ? describe.skip : describe;

interface Golden {
  readonly provenance: { readonly model: { readonly file: string; readonly sha256: string } };
  readonly inputs: {
    readonly noise: number;
    readonly images: number;
    readonly dataset: string;
    readonly sha256: string;
  };
  readonly tensors: Readonly<Record<string, string>>;
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const bytesOf = ({ buffer, byteOffset, byteLength }: Codes) =>
  new Uint8Array(buffer, byteOffset, byteLength);

function readGolden(model: string, target: string): Golden {
  const file = join(__dirname, '../golden', model, target, 'tensors.json');
  return JSON.parse(readFileSync(file, 'utf8')) as Golden;
}

function load(model: string, target: string) {
  const bytes = readFileSync(join(data!, 'models/quantized', `${model}.tflite`));
  expect(sha256(bytes)).toBe(readGolden(model, target).provenance.model.sha256);
  return lower(importTflite(bytes, model), findTarget(target));
}

/**
 * Runs all inputs and compares the hashes of all tensors that the runtime has.
 *
 * @returns the last tensor's codes, image by image
 */
async function compare(
  model: string,
  target: string,
  inputs: AsyncIterable<Uint8Array> | readonly Uint8Array[],
): Promise<readonly Uint8Array[]> {
  const golden = readGolden(model, target);
  const program = load(model, target);
  const engine = Engine.load(program);
  const hashes = new Map(Object.keys(golden.tensors).map((name) => [name, createHash('sha256')]));
  const all = createHash('sha256');
  const last: Uint8Array[] = [];
  for await (const bytes of inputs) {
    all.update(bytes);
    const codes = engine.input.dtype === 's8' ? new Int8Array(bytes) : bytes;
    const { outputs, taps } = engine.runSync(codes, { taps: [...hashes.keys()].filter(isTap) });
    for (const [name, { data: values }] of taps) hashes.get(name)!.update(bytesOf(values));
    last.push(bytesOf(outputs[0]!.data));
  }
  engine.close();
  expect(all.digest('hex')).toBe(golden.inputs.sha256);
  const found = [...hashes].filter(([name]) => isTap(name));
  // Only a flattened image has no tensor of its own.
  expect(hashes.size - found.length).toBe(program.tensors.length - 1 === hashes.size ? 0 : 1);
  const wrong = found.filter(([name, hash]) => hash.digest('hex') !== golden.tensors[name]);
  expect(wrong.map(([name]) => name)).toEqual([]);
  return last;

  function isTap(name: string): boolean {
    return program.tensors.some((tensor) => tensor.name === name);
  }
}

function inputsOf(model: string, target: string) {
  const { noise, images, dataset } = readGolden(model, target).inputs;
  const { height, width, dtype } = load(model, target).tensors[0]!;
  const facts = { height, width, type: dtype as 'u8' | 's8', noise, images };
  return goldenInputs(facts, join(data!, dataset));
}

const litert = ['tflite-ref', 'tflite-builtin', 'xnnpack'];

real('real networks, every activation (skipped where LASTBIT_DATA is not set)', () => {
  test.each([...litert, 'tflm'])('V1 0.25 96 VWW int8, %s: 6 + 40 images', async (target) => {
    const model = 'mobilenet_v1_0.25_96_vww_int8';
    await compare(model, target, inputsOf(model, target));
  });

  test.each(litert)('V1 0.25 128 uint8, %s: 6 + 20 images', async (target) => {
    const model = 'mobilenet_v1_0.25_128_quant';
    await compare(model, target, inputsOf(model, target));
  });

  test.each(litert)('V2 1.0 224 uint8, %s: 6 + 20 images', async (target) => {
    const model = 'mobilenet_v2_1.0_224_quant';
    await compare(model, target, inputsOf(model, target));
  });

  test.each(litert)('V1 1.0 224 uint8, %s: backbone, then head, 6 + 20 images', async (target) => {
    const model = 'mobilenet_v1_1.0_224_quant_backbone';
    const features = await compare(model, target, inputsOf(model, target));
    await compare('mobilenet_v1_1.0_224_quant_head', target, features);
  });
});
