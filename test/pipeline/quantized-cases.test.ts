// SPDX-License-Identifier: Apache-2.0
// Small files of kinds that people have, run as the command line does without --target, against what
// another runtime gave for them. Each folder's README says which.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { readNpy } from '../../src/data/npy.js';
import { convertModel } from '../../src/pipeline/convert.js';
import { inspectModel } from '../../src/pipeline/inspect.js';
import { programOf } from '../../src/pipeline/choose-program.js';
import { loadQuantizedModel } from '../../src/pipeline/load-model.js';
import { runModel } from '../../src/pipeline/run.js';
import { quantizeInput } from '../../src/program/input.js';
import { interpret } from '../../src/program/interpret.js';
import type { Codes } from '../../src/numeric/code-types.js';

const folder = join(__dirname, '../golden/cases');

function read(name: string, file: string) {
  return readNpy(readFileSync(join(folder, name, file)), file);
}

/** NCHW -> NHWC; anything that is no image stays. */
function channelsLast({ shape, data }: ReturnType<typeof read>): number[] {
  if (shape.length !== 4) return Array.from(data, Number);
  const [, channels, height, width] = shape as [number, number, number, number];
  const area = height * width;
  return Array.from({ length: channels * area }, (_, i) =>
    Number(data[(i % channels) * area + Math.floor(i / channels)]),
  );
}

/** The steps that each output code is off what was expected. */
async function distances(name: string, file: string): Promise<readonly number[]> {
  const model = await loadQuantizedModel(join(folder, name, file));
  const program = programOf(model);
  const { data } = read(name, 'input.npy');
  const input =
    data instanceof Float32Array ? quantizeInput(program, data) : (data.slice() as Codes);
  const [output] = interpret(program, input).outputs;
  const expected = read(name, 'expected.npy');
  const isReal = expected.data instanceof Float32Array;
  const wanted = isReal ? channelsLast(expected) : Array.from(expected.data, Number);
  expect(output!.data).toHaveLength(wanted.length);
  return wanted.map((value, i) => {
    const { scale, zeroPoint } = output!;
    const code = isReal ? Math.round(value / scale) + zeroPoint : value;
    return Math.abs(code - output!.data[i]!);
  });
}

const cases: readonly [name: string, file: string, target: string, steps: number][] = [
  ['b02-uint8-input', 'model.tflite', 'tflm@2026.10', 0],
  ['b03-qcdq', 'model.onnx', 'onnxruntime@1.30', 0],
  ['b04-dq-transpose', 'model.onnx', 'onnxruntime@1.30', 0],
  ['b06-qat-batchnorm', 'model.onnx', 'onnxruntime@1.30', 1],
  ['b20-fp16-qdq', 'model.onnx', 'onnxruntime@1.30', 1],
  ['b24-w4a8', 'model.onnx', 'tflm@2026.10', 1],
];

test.each(cases)('%s', async (name, file, target, steps) => {
  expect(Math.max(...(await distances(name, file)))).toBeLessThanOrEqual(steps);
  const { quantization } = await inspectModel({ model: join(folder, name, file) });
  expect(quantization.target).toBe(target);
});

test('b08-bias-overflow: run, inspect and convert say what is lost', async () => {
  const model = join(folder, 'b08-bias-overflow/model.onnx');
  const output = join(mkdtempSync(join(tmpdir(), 'lastbit-')), 'out.onnx');
  const documents = [
    await runModel({ model, input: join(folder, 'b08-bias-overflow/input.npy') }),
    await inspectModel({ model }),
    await convertModel({ model, output }),
  ];
  for (const { notes } of documents) {
    expect(notes.join()).toMatch(/saturate: "node_14" channel 3: 2 becomes 0\.0000699, 2 is lost/);
  }
  rmSync(dirname(output), { recursive: true });
});
