// SPDX-License-Identifier: Apache-2.0
// The file that quantization writes means the same to others: onnxruntime, with its optimizations
// off, computes it in float32 between the roundings and comes within rounding of the integers.
import { join } from 'node:path';

import * as ort from 'onnxruntime-node';

import {
  encode,
  Engine,
  importQuantized,
  lower,
  quantizeInMemory,
  quantizeInput,
  readOnnx,
  resolveTarget,
  topClasses,
  writeQdq,
  type Program,
  type QuantGraph,
} from '../../src/index.js';

const fashion = join(__dirname, '../../models/fashion');

async function quantize(net: string, target: string, weights?: 'per-tensor'): Promise<QuantGraph> {
  const { quantGraph } = await quantizeInMemory({
    model: join(fashion, `${net}.onnx`),
    calib: join(fashion, 'calibration-images.npy'),
    limit: 16,
    target,
    weights,
    // Nearly all of the time, and not what is tested here.
    reconstruct: false,
    biasCorrection: 'none',
  });
  return quantGraph;
}

/** Output codes of a program and of its file in onnxruntime, image by image. */
async function bothSides(
  program: Program,
  file: Uint8Array,
  inputs: readonly Float32Array[],
): Promise<{ readonly own: number[]; readonly theirs: number[] }[]> {
  const session = await ort.InferenceSession.create(file, {
    graphOptimizationLevel: 'disabled',
    intraOpNumThreads: 1,
  });
  const engine = Engine.load(program, { threads: 1 });
  const { height, width, channels } = program.tensors[program.input]!;
  const sides = [];
  for (const input of inputs) {
    const output = (await engine.run(quantizeInput(program, input))).outputs[0]!;
    const tensor = new ort.Tensor('float32', input, [1, channels, height, width]);
    const result = await session.run({ [session.inputNames[0]!]: tensor });
    const reals = result[session.outputNames[0]!]!.data as Float32Array;
    const codeOf = (real: number): number => Math.round(real / output.scale) + output.zeroPoint;
    sides.push({ own: Array.from(output.data), theirs: Array.from(reals, codeOf) });
  }
  engine.close();
  await session.release();
  return sides;
}

async function testInputs(count: number): Promise<Float32Array[]> {
  const { openInputs, floatInput } = await import('../../src/pipeline/inputs.js');
  const { loadFloatModel } = await import('../../src/pipeline/load-model.js');
  const model = join(fashion, 'mobilenet_v1_fashion.onnx');
  const { graph } = await loadFloatModel(model);
  const images = join(fashion, 'test-images.npy');
  const inputs: Float32Array[] = [];
  const opened = openInputs(floatInput(graph, model), 'tf', { images, limit: count });
  for await (const { input } of opened.source) inputs.push(input);
  return inputs;
}

jest.setTimeout(600_000);

const cases = (['mobilenet_v1_fashion', 'mobilenet_v2_fashion'] as const).flatMap((net) =>
  (
    [
      ['tflm', undefined, 8],
      ['q31-pc', 'per-tensor', 8],
      ['onnxruntime', undefined, 8],
      ['pow2', undefined, 16],
    ] as const
  ).map((how) => [net, ...how] as const),
);
// Each quantization takes seconds: the rest runs with LASTBIT_FULL=1.
const everyday = ['mobilenet_v1_fashion pow2', 'mobilenet_v2_fashion tflm'];
const chosen = cases.filter(
  ([net, target]) => process.env.LASTBIT_FULL === '1' || everyday.includes(`${net} ${target}`),
);

describe('a QDQ file in onnxruntime', () => {
  it.each(chosen)('%s for %s %s', async (net, target, weights, bits) => {
    const quantGraph = await quantize(net, target, weights);
    const profile = resolveTarget(target);
    const program = lower(quantGraph, profile);
    const file = writeQdq(quantGraph);
    const output = program.tensors[program.outputs[0]!]!;
    expect(output.dtype).toBe(bits === 16 ? 's16' : output.dtype);
    expect(encode(lower(importQuantized(readOnnx(file)), profile))).toEqual(encode(program));

    const sides = await bothSides(program, file, await testInputs(100));
    const top = (codes: number[]): number => topClasses(codes, 1)[0]!.index;
    const same = sides.filter(({ own, theirs }) => top(own) === top(theirs));
    const distances = sides.flatMap(({ own, theirs }) =>
      own.map((code, i) => Math.abs(code - theirs[i]!) * (bits === 16 ? 2 ** -8 : 1)),
    );
    // Steps of 8 bits. Fixed-point multipliers round twice, and a tie may go the other way.
    const mean = distances.reduce((a, b) => a + b, 0) / distances.length;
    expect(Math.max(...distances)).toBeLessThanOrEqual(target === 'onnxruntime' ? 1 : 6);
    expect(mean).toBeLessThan(target === 'onnxruntime' ? 0.02 : 0.6);
    expect(same.length).toBeGreaterThanOrEqual(97);
  });
});
