// SPDX-License-Identifier: Apache-2.0
// .tflite files of `quantize` and `convert`: the same program as the QDQ file, and no flags needed.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { programOf } from '../../src/pipeline/choose-program.js';
import { convertModel } from '../../src/pipeline/convert.js';
import { loadQuantizedModel } from '../../src/pipeline/load-model.js';
import { quantizeModel } from '../../src/pipeline/quantize.js';
import { runModel } from '../../src/pipeline/run.js';
import { encode } from '../../src/program/encode.js';

const fashion = join(__dirname, '../../models/fashion');
const model = join(fashion, 'mobilenet_v2_fashion.onnx');
const calib = join(fashion, 'calibration-images.npy');
const common = { model, calib, limit: 4, recipe: 'naive', preprocess: 'unit' } as const;
const scratch = mkdtempSync(join(tmpdir(), 'lastbit-tflite-'));
const at = (name: string) => join(scratch, name);
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const program = async (name: string, target?: string) =>
  encode(programOf(await loadQuantizedModel(at(name)), target));

test.each([
  ['tflm', {}],
  ['tflite-u8', {}],
  ['xnnpack', {}],
  ['tflite-ref', { activationBits: 16 }],
  ['tflm', { weightBits: 4 }],
] as const)(
  'quantize for %s %j: the program of the QDQ file, byte by byte',
  async (target, more) => {
    const document = await quantizeModel({
      ...common,
      ...more,
      target,
      output: at('net.tflite'),
      overwrite: true,
    });
    expect(document).toMatchObject({ form: 'tflite', output: at('net.tflite') });
    await quantizeModel({ ...common, ...more, target, output: at('net.onnx'), overwrite: true });
    expect(await program('net.tflite')).toEqual(await program('net.onnx'));
    const again = { model: at('net.onnx'), output: at('again.tflite'), overwrite: true };
    expect(await convertModel(again)).toMatchObject({ form: 'tflite', notes: [] });
    expect(await program('again.tflite')).toEqual(await program('net.onnx'));
  },
);

test('the file runs without flags: it names its target and its preset', async () => {
  await quantizeModel({ ...common, target: 'xnnpack', output: at('x.tflite') });
  const input = join(fashion, 'test-images.npy');
  const document = await runModel({ model: at('x.tflite'), images: input, limit: 1 });
  expect(document).toMatchObject({ target: 'litert-xnnpack@2.3.0' });
  expect(JSON.stringify(document)).toContain('"unit"');
});

test('a target without .tflite files is refused before any work', async () => {
  await expect(
    quantizeModel({ ...common, target: 'onnxruntime', output: at('no.tflite') }),
  ).rejects.toThrow(/onnxruntime@1\.30 reads no \.tflite files; write an \.onnx file, or quantize/);
  await expect(quantizeModel({ ...common, form: 'qop', output: at('no.tflite') })).rejects.toThrow(
    /--form is for \.onnx files/,
  );
});

test('a model made for another target says under which the file runs', async () => {
  await quantizeModel({ ...common, target: 'pow2', output: at('pow2.onnx') });
  const converted = { model: at('pow2.onnx'), output: at('pow2.tflite') };
  const { target, notes } = await convertModel(converted);
  expect(target).toBe('tflm@2026.10');
  expect(notes).toEqual([
    'the model was made for pow2@1, as .tflite it runs under tflm@2026.10 unless --target says otherwise',
  ]);
  expect(await program('pow2.tflite')).toEqual(await program('pow2.onnx', 'tflm'));
});
