// SPDX-License-Identifier: Apache-2.0
// Quantizing for an accumulator that may overflow says so before the loss.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { quantizeInMemory } from '../../src/pipeline/quantize.js';
import { prove } from '../../src/prove/index.js';
import { lower } from '../../src/program/lower.js';
import { resolveTarget } from '../../src/pipeline/target-choice.js';

const model = join(__dirname, '../../models/fashion/mobilenet_v1_fashion.onnx');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lastbit-narrow-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function targetFile(bits: number, overflow: string): string {
  const file = join(folder, `${overflow}${bits}.json`);
  const accumulator = { bits, overflow, when: 'each' };
  writeFileSync(
    file,
    JSON.stringify({ id: 'npu@1', extends: 'tflm', arithmetic: { accumulator } }),
  );
  return file;
}

async function warningsFor(target: string) {
  const { quantGraph, document } = await quantizeInMemory({
    ...{ model, target, dataFree: true, recipe: 'naive' },
  });
  const { layers } = prove(lower(quantGraph, resolveTarget(target)));
  const failing = layers.filter(({ ok }) => !ok);
  const said = document.warnings.filter((text) => text.includes('accumulators can leave'));
  return { said, failing, layers };
}

test.each([
  [16, 'saturate', '16 bits that saturate'],
  [16, 'trap', '16 bits that trap'],
  [18, 'wrap', '18 bits that wrap'],
])('%d bits, %s: how many, how far, the worst by name', async (bits, overflow, words) => {
  const { said, failing, layers } = await warningsFor(targetFile(bits, overflow));
  expect(failing.length).toBeGreaterThan(0);
  expect(said).toHaveLength(1);
  const needed = Math.max(...failing.map(({ bitsNeeded }) => bitsNeeded));
  expect(said[0]).toContain(`${failing.length} of ${layers.length} accumulators`);
  expect(said[0]).toContain(`${words}, ${needed} needed`);
  const worst = failing.find(({ bitsNeeded }) => bitsNeeded === needed)!;
  expect(said[0]).toContain(`"${worst.name.slice(0, 60)}" (${needed})`);
  expect(said[0]!.length).toBeLessThan(600);
});

test('nothing where it is wide enough', async () => {
  expect((await warningsFor('tflm')).said).toEqual([]);
  const { said, failing } = await warningsFor(targetFile(30, 'saturate'));
  expect([said, failing]).toEqual([[], []]);
});
