// SPDX-License-Identifier: Apache-2.0
// `convert --form integer` from the command line: the file runs elsewhere, and mistakes are one line.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Engine } from '../../src/engine/engine.js';
import { lower, writeQdq, type ConvertDocument, type InspectDocument } from '../../src/index.js';
import { findTarget } from '../../src/targets/index.js';
import { openSession, realsOf, run } from '../export-integer/in-onnxruntime.js';
import { convNode, graphOf, value } from '../program/quant-graphs.js';
import { lastbit, lastbitJson } from './captured.js';

const values = [value('x', [1, 2, 3, 3]), value('y', [1, 2, 3, 3], { scale: 3 })];
const graph = graphOf(values, [convNode(2, 2, { bias: Int32Array.of(5, -700) })]);

let folder: string;
const at = (name: string): string => join(folder, name);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lastbit-integer-'));
  writeFileSync(at('net.onnx'), writeQdq(graph));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

test('a QDQ file, a .lbp and the file of either hold the same codes', async () => {
  const program = lower(graph, findTarget('tflm'));
  const codes = Int8Array.from({ length: 18 }, (_, i) => i * 14 - 128);
  const engine = Engine.load(program);
  const expected = engine.runSync(codes).outputs[0]!.data;
  engine.close();
  await lastbitJson('convert', at('net.onnx'), '-o', at('net.lbp'), '--target', 'tflm');
  for (const model of ['net.onnx', 'net.lbp']) {
    const output = at(`${model}.integer.onnx`);
    const args = ['convert', at(model), '-o', output, '--form', 'integer'];
    const document = await lastbitJson<ConvertDocument>(...args);
    const { length } = readFileSync(output);
    const facts = { form: 'integer', target: 'tflm@2026.10', layers: 1, bytes: length };
    expect(document).toMatchObject(facts);
    const session = await openSession(readFileSync(output), 'all');
    expect(session.outputNames).toEqual(['y', 'y_codes']);
    const results = await run(session, program, realsOf(program, codes));
    await session.release();
    const nhwc = Array.from(expected, (_, i) => results.get('y_codes')![(i % 2) * 9 + (i >> 1)]);
    expect(nhwc).toEqual(Array.from(expected));
    const reals = results.get('y_codes')!.map((code) => code * 3);
    expect(results.get('y')).toEqual(reals);
  }
});

test('--target decides the arithmetic', async () => {
  const args = ['convert', at('net.onnx'), '-o', at('xnnpack.onnx'), '--form', 'integer'];
  const { target } = await lastbitJson<ConvertDocument>(...args, '--target', 'xnnpack');
  expect(target).toBe('litert-xnnpack@2.3.0');
});

test('the file is told from a float network and not read again', async () => {
  await lastbitJson('convert', at('net.onnx'), '-o', at('once.onnx'), '--form', 'integer');
  const { quantization } = await lastbitJson<InspectDocument>('inspect', at('once.onnx'));
  expect(quantization).toEqual({ state: 'integer', target: 'tflm@2026.10' });
  const again = await lastbit('convert', at('once.onnx'), '-o', at('twice.onnx'));
  expect(again.code).toBe(3);
  expect(again.err).toMatch(/^error \[integer-form\] .*give the model that it was made from\n$/);
});

test.each([
  [['convert', 'net.onnx', '-o', 'a.lbp', '--form', 'integer'], 2, 'output-form'],
  [['convert', 'net.onnx', '-o', 'a.onnx', '--form', 'int8'], 2, 'bad-value'],
  [['convert', 'net.onnx', '-o', 'a.onnx', '--target', 'tflm'], 2, 'target-unused'],
  [
    ['convert', 'net.lbp', '-o', 'a.onnx', '--form', 'integer', '--target', 'pow2'],
    2,
    'program-bound',
  ],
  [
    ['convert', 'net.onnx', '-o', 'a.onnx', '--form', 'integer', '--target', 'tflite-u8'],
    3,
    'target-constraint',
  ],
  [['quantize', 'net.onnx', '-o', 'a.onnx', '--form', 'integer'], 2, 'lastbit convert'],
])('%j: one line, exit %d, %s', async (args, code, part) => {
  await lastbit('convert', at('net.onnx'), '-o', at('net.lbp'), '--overwrite');
  const inFolder = args.map((arg) => (/\.(onnx|lbp)$/.test(arg) ? at(arg) : arg));
  const result = await lastbit(...inFolder);
  expect(result.code).toBe(code);
  expect(result.err).toMatch(/^error .*\n$/);
  expect(result.err).toContain(part);
});
