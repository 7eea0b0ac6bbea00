// SPDX-License-Identifier: Apache-2.0
// `prove` as a user would call it: a certificate, a counterexample under a narrow accumulator.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { lastbit, lastbitJson } from './captured.js';

const float = join(__dirname, '../../models/fashion/mobilenet_v1_fashion.onnx');

interface Proof {
  readonly ok: boolean;
  readonly target: string;
  readonly layers: readonly {
    readonly name: string;
    readonly bitsNeeded: number;
    readonly bitsHave: number;
    readonly ok: boolean;
    readonly counterexample?: { readonly value: number; readonly codes: readonly number[] };
  }[];
}

let folder: string;
let model: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lastbit-prove-'));
  model = join(folder, 'quantized.onnx');
  await lastbitJson('quantize', float, '-o', model, '--data-free', '--recipe', 'naive');
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

test('a certificate for 32 bits', async () => {
  const { code, out } = await lastbit('prove', model);
  expect(code).toBe(0);
  expect(out).toContain('no accumulator can overflow');
  const proof = await lastbitJson<Proof>('prove', model);
  expect(proof).toMatchObject({ ok: true, target: 'tflm@2026.10' });
});

test('16 bits: exit 1, the layers that overflow, codes that show it', async () => {
  const narrow = join(folder, 'narrow.json');
  const accumulator = { bits: 16, overflow: 'saturate', when: 'each' };
  const base = { id: 'narrow@1', extends: 'tflm', arithmetic: { accumulator } };
  writeFileSync(narrow, JSON.stringify(base));
  const { code, out, err } = await lastbit('prove', model, '--target', narrow, '--format', 'json');
  expect([code, err]).toEqual([1, '']);
  const { ok, layers } = JSON.parse(out) as Proof;
  expect(ok).toBe(false);
  const failing = layers.filter((layer) => !layer.ok);
  expect(failing.length).toBeGreaterThan(0);
  for (const { bitsNeeded, bitsHave, counterexample } of failing) {
    expect(bitsNeeded).toBeGreaterThan(bitsHave);
    expect(Math.abs(counterexample!.value)).toBeGreaterThanOrEqual(2 ** 15 - 1);
    expect(counterexample!.codes.every((c) => Number.isInteger(c) && c >= -128 && c <= 127)).toBe(
      true,
    );
  }
});

test('a float model is refused with the way out', async () => {
  const { code, err } = await lastbit('prove', float);
  expect(code).toBe(3);
  expect(err).toContain('[float-model]');
});
