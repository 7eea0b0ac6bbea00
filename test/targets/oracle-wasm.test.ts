// SPDX-License-Identifier: Apache-2.0
// A live oracle: LiteRT.js (TFLite with XNNPACK as WebAssembly) computes each time, on the
// dyadic-tie suite and, where LASTBIT_DATA is set, on every activation of real networks.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Engine } from '../../src/engine/engine.js';
import type { Codes } from '../../src/numeric/code-types.js';
import { lower } from '../../src/program/lower.js';
import { findTarget } from '../../src/targets/index.js';
import { importTflite } from '../../src/tflite/import.js';
import { withAllOutputs } from '../oracles/all-outputs.cjs';
import { goldenInputs } from '../oracles/inputs.cjs';
import { LiteRtWasm } from '../oracles/litert-wasm.cjs';
import { differing, tieCases } from './ties.js';

const data = process.env.LASTBIT_DATA;
const target = findTarget('xnnpack');
let runtime: LiteRtWasm;

beforeAll(async () => {
  runtime = await LiteRtWasm.load();
});

test('LiteRT.js: the dyadic-tie suite', async () => {
  const wrong: string[] = [];
  let values = 0;
  for (const tie of tieCases()) {
    const outputs: Uint8Array[] = [];
    const bytes = tie.inputs.map((codes) => Buffer.from(codes.buffer));
    for await (const [output] of runtime.run(tie.model, bytes)) outputs.push(output!);
    const expected = Buffer.concat(outputs);
    const count = differing(tie, target, expected);
    if (count > 0) wrong.push(`${tie.name}: ${count} of ${expected.length}`);
    values += expected.length;
  }
  expect(wrong).toEqual([]);
  expect(values).toBeGreaterThan(190_000);
});

const bytesOf = ({ buffer, byteOffset, byteLength }: Codes) =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Compares every activation of 2 noise images and 20 real ones. */
async function compareNet(model: string, size: number, type: 'u8' | 's8', dataset: string) {
  const file = readFileSync(join(data!, 'models/quantized', `${model}.tflite`));
  const facts = { height: size, width: size, type, noise: 2, images: 20 };
  const inputs: Uint8Array[] = [];
  for await (const codes of goldenInputs(facts, join(data!, dataset))) inputs.push(codes);
  const program = lower(importTflite(file, model), target);
  const engine = Engine.load(program);
  const { bytes, names } = withAllOutputs(file);
  const compared = new Set<string>();
  let [image, different] = [0, 0];
  for await (const outputs of runtime.run(bytes, inputs)) {
    const codes = inputs[image++]!;
    const { taps } = engine.runSync(type === 's8' ? new Int8Array(codes) : codes, { taps: 'all' });
    outputs.forEach((expected, i) => {
      const tap = taps.get(names[i]!);
      if (tap === undefined) return;
      compared.add(names[i]!);
      different += Buffer.compare(bytesOf(tap.data), expected) === 0 ? 0 : 1;
    });
  }
  engine.close();
  expect(different).toBe(0);
  expect(image).toBe(22);
  // All but the input, and but a flattened image that has no tensor of its own.
  expect(compared.size).toBeGreaterThanOrEqual(program.tensors.length - 2);
}

(data === undefined ? describe.skip : describe)(
  'LiteRT.js: every activation of real networks (skipped where LASTBIT_DATA is not set)',
  () => {
    test('V1 0.25 96 VWW int8', () =>
      compareNet('mobilenet_v1_0.25_96_vww_int8', 96, 's8', 'vww/images'));
    test('V1 0.25 128 uint8', () =>
      compareNet('mobilenet_v1_0.25_128_quant', 128, 'u8', 'imagenet/val/images'));
    test('V2 1.0 224 uint8', () =>
      compareNet('mobilenet_v2_1.0_224_quant', 224, 'u8', 'imagenet/val/images'));
    test('V1 1.0 224 uint8, backbone', () =>
      compareNet('mobilenet_v1_1.0_224_quant_backbone', 224, 'u8', 'imagenet/val/images'));
  },
);
