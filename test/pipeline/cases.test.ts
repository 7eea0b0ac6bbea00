// SPDX-License-Identifier: Apache-2.0
// Files that once ended in a crash or in a refusal without need. Each folder of test/golden/cases has the
// command, what is right and where the expected values are from.
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { sqnrDb } from '../../src/analyze/error-sums.js';
import { readNpy, writeNpy } from '../../src/data/npy.js';
import { toNchw } from '../../src/data/load-sample.js';
import {
  analyzeModel,
  compareModels,
  evaluateModel,
  inspectModel,
  quantizeModel,
  runModel,
} from '../../src/index.js';

const folder = join(__dirname, '..', 'golden', 'cases');
const work = mkdtempSync(join(tmpdir(), 'cases-'));

const array = (file: string) => readNpy(readFileSync(file), file);

/** Quantizes, runs on input.npy and gives the SQNR against expected.npy. */
async function decibelsOf(name: string): Promise<number> {
  const at = (file: string): string => join(folder, name, file);
  const output = join(work, `${name}.onnx`);
  await quantizeModel({ model: at('model.onnx'), output, calib: at('calib') });
  const out = join(work, name);
  await runModel({ model: output, input: at('input.npy'), out });
  const { files } = JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8')) as {
    files: { role: string; file: string; scale: number; zeroPoint: number; shape: number[] }[];
  };
  const { file, scale, zeroPoint, shape } = files.find(({ role }) => role === 'output')!;
  const codes = Float32Array.from(array(join(out, file)).data as Int8Array);
  const reals = toNchw(codes, shape.at(-1)!).map((code) => scale * (code - zeroPoint));
  return sqnrDb(array(at('expected.npy')).data as Float32Array, reals);
}

test.each([
  ['b01-spatial-output', 30],
  ['b07-split-slice', 30],
  ['b25-concat', 30],
])('%s quantizes to more than %d dB', async (name, least) => {
  expect(await decibelsOf(name)).toBeGreaterThan(least);
});

test('b01: inspect and quantize say alike that the output is taken before the Flatten', async () => {
  const model = join(folder, 'b01-spatial-output', 'model.onnx');
  const { notes } = await inspectModel({ model });
  expect(notes.join()).toMatch(
    /output "flatten_13" \[1, 768\] is taken before Reshape .* \[1, 12, 8, 8\]/,
  );
  const calib = join(folder, 'b01-spatial-output', 'calib');
  const output = join(work, 'said.onnx');
  const { warnings } = await quantizeModel({ model, output, calib });
  expect(warnings).toEqual(notes);
  const { top1Agreement, layers } = await compareModels({
    float: model,
    quant: output,
    images: calib,
  });
  expect(layers).toHaveLength(2);
  expect(top1Agreement).toBeGreaterThan(80);
});

test('b25: analyze follows noise through the concatenation', async () => {
  const [model, images] = ['model.onnx', 'calib'].map((file) => join(folder, 'b25-concat', file));
  const { layers } = await analyzeModel({ model: model!, images: images! });
  const shares = layers.map(({ weights }) => weights?.noisePercent?.perTensor ?? 0);
  expect(shares.filter((share) => share > 0)).toHaveLength(5);
});

test('b22: a float32 stack calibrates, compares and evaluates as its samples do', async () => {
  const at = (file: string): string => join(folder, 'b22-calib-stack', file);
  await quantizeModel({
    ...{ model: at('model.onnx'), calib: at('calib.npy') },
    output: join(work, 'b22-calib-stack.onnx'),
  });
  const [float, quant] = [at('model.onnx'), join(work, 'b22-calib-stack.onnx')];
  const stack = array(at('calib.npy'));
  const compared = await compareModels({ float, quant, images: at('calib.npy') });
  expect(compared.images).toBe(32);
  // The same as one file for each sample.
  const single = join(work, 'single');
  mkdirSync(single);
  for (let i = 0; i < 32; i++) {
    const data = (stack.data as Float32Array).slice(i * 192, (i + 1) * 192);
    const name = `${String(i).padStart(2, '0')}.npy`;
    writeFileSync(join(single, name), writeNpy({ dtype: 'f32', shape: [1, 1, 16, 12], data }));
  }
  expect(await compareModels({ float, quant, images: single })).toEqual(compared);
  const labels = join(work, 'labels.npy');
  writeFileSync(labels, writeNpy({ dtype: 'u8', shape: [32], data: new Uint8Array(32) }));
  const evaluated = await evaluateModel({ model: quant, float, images: at('calib.npy'), labels });
  // input.npy is from another distribution than the calibration set: the set itself is what fits.
  expect(evaluated).toMatchObject({ n: 32, top1Agreement: 100 });
  expect(evaluated.scoreSqnrDb).toBeGreaterThan(40);
});
