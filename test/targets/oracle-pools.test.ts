// SPDX-License-Identifier: Apache-2.0
// onnxruntime's integer average pools over windows and over whole images, u8 and s8, ties included
// (test/oracles/ort_pool_goldens.py).
import { countWrong, ortCases } from './ort-cases.js';

const cases = ortCases('ort-pools.json');

test('every code of 120 pools', () => {
  const { codes: all, ...wrong } = countWrong(cases);
  expect(wrong).toEqual({ interpreted: 0, native: 0 });
  expect(all).toBeGreaterThan(13_000);
});

test('a scale that is off by its last bit shows', () => {
  const { native } = countWrong(cases, (program) => ({
    ...program,
    ops: program.ops.map((op) =>
      op.op === 'averagePool' && op.form.kind === 'f32Window'
        ? { ...op, form: { ...op.form, scaleOut: Math.fround(op.form.scaleOut * (1 + 2 ** -20)) } }
        : op,
    ),
  }));
  expect(native).toBeGreaterThan(10);
});
