// SPDX-License-Identifier: Apache-2.0
// Resize, LeakyRelu and Gelu in onnxruntime, between Q/DQ pairs and as integer operators, u8 and s8
// (test/oracles/ort_operator_goldens.py).
import { readOnnx } from '../../src/onnx/file/reader.js';
import { importQuantized } from '../../src/onnx/quantized/import.js';
import { writeQdq } from '../../src/onnx/write/qdq.js';
import { writeQop } from '../../src/onnx/write/qop.js';
import { lower } from '../../src/program/lower.js';
import { findTarget } from '../../src/targets/index.js';
import { countWrong, ortCases } from './ort-cases.js';

const cases = ortCases('ort-operators.json');

test('every code', () => {
  const { codes: all, ...wrong } = countWrong(cases);
  expect(wrong).toEqual({ interpreted: 0, native: 0 });
  expect(all).toBeGreaterThan(50_000);
});

test('weights that are off by their last bits show', () => {
  const { native } = countWrong(cases, (program) => ({
    ...program,
    ops: program.ops.map((op) => {
      if (op.op !== 'resize' || op.form.kind !== 'f32Reals') return op;
      const scaleOut = Math.fround(op.form.scaleOut * (1 + 2 ** -18));
      return { ...op, form: { ...op.form, scaleOut } };
    }),
  }));
  expect(native).toBeGreaterThan(10);
});

test('both forms that are written come back as the same program', () => {
  const target = findTarget('onnxruntime');
  for (const { model } of cases) {
    const graph = importQuantized(readOnnx(Buffer.from(model, 'base64')));
    const { ops } = lower(graph, target);
    for (const write of [writeQdq, writeQop]) {
      const again = importQuantized(readOnnx(write(graph)));
      expect(lower(again, target).ops).toEqual(ops);
    }
  }
});
