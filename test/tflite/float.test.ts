// SPDX-License-Identifier: Apache-2.0
// Float .tflite files against LiteRT's own results (test/oracles/float_tflite_goldens.py).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LastbitError } from '../../src/errors.js';
import { openFloatRunner } from '../../src/float/runner.js';
import type { Graph } from '../../src/graph/graph.js';
import { canonicalize } from '../../src/passes/index.js';
import { inspectModel } from '../../src/pipeline/inspect.js';
import { loadModel } from '../../src/pipeline/load-model.js';
import { importFloatTflite } from '../../src/tflite/float/import.js';
import { type FileSpec, type TensorSpec, writeTflite } from './flat-writer.js';

const folder = join(__dirname, '../golden/float-tflite');
const { goldens } = JSON.parse(readFileSync(join(folder, 'goldens.json'), 'utf8')) as {
  goldens: readonly { name: string; image: string; output: string }[];
};

function reals(base64: string): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(base64, 'base64')).buffer);
}

/** [1,H,W,C] -> [1,C,H,W]. */
function toNchw(nhwc: Float32Array, channels: number): Float32Array {
  const area = nhwc.length / channels;
  return nhwc.map((_, i) => nhwc[(i % area) * channels + Math.floor(i / area)]!);
}

async function outputOf(graph: Graph, input: Float32Array): Promise<Float32Array> {
  const runner = await openFloatRunner(graph, []);
  const results = await runner.run(input);
  await runner.close();
  return results.get(graph.outputs[0]!.name)!;
}

function largestDifference(got: Float32Array, want: Float32Array): number {
  expect(got.length).toBe(want.length);
  return want.reduce((worst, value, i) => Math.max(worst, Math.abs(value - got[i]!)), 0);
}

describe.each(goldens)('$name', ({ name, image, output }) => {
  const bytes = new Uint8Array(readFileSync(join(folder, `${name}.tflite`)));

  test('as it is imported and canonical, equals LiteRT up to the order of sums', async () => {
    const graph = importFloatTflite(bytes);
    const input = reals(image);
    const want = reals(output);
    // Sums round by their size.
    const size = want.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
    expect(largestDifference(await outputOf(graph, input), want)).toBeLessThan(2e-6 * size);
    const canonical = canonicalize(graph);
    const channels = canonical.inputs[0]!.shape[1]!;
    const got = await outputOf(canonical, toNchw(input, channels));
    expect(largestDifference(got, want)).toBeLessThan(4e-6 * size);
  });

  test('is a float model for commands', async () => {
    const file = join(folder, `${name}.tflite`);
    const { kind } = await loadModel(file);
    expect(kind).toBe('float');
    const { format, quantization, layers, unsupported } = await inspectModel({
      model: file,
    });
    expect({ format, quantization, unsupported }).toEqual({
      ...{
        format: 'tflite',
        quantization: { state: 'float' },
        unsupported: [],
      },
    });
    expect(layers).toBeGreaterThan(2);
  });
});

describe('refusals', () => {
  const f32 = (name: string, shape: number[], values?: number): TensorSpec => ({
    ...{ name, type: 0, shape },
    ...(values === undefined
      ? {}
      : { data: new Uint8Array(new Float32Array(values).fill(0.5).buffer) }),
  });
  const dense = (weight: TensorSpec, code = 9): FileSpec => ({
    tensors: [f32('x', [1, 4]), weight, f32('y', [1, 3]), f32('z', [1, 3])],
    operators: [
      { code, inputs: [0, 1, -1], outputs: [2] },
      { code: 28, inputs: [2], outputs: [3] },
    ],
    inputs: [0],
    outputs: [3],
  });
  const errorOf = (spec: FileSpec): LastbitError => {
    try {
      importFloatTflite(writeTflite(spec));
    } catch (error) {
      if (error instanceof LastbitError) return error;
      throw error;
    }
    throw new Error('accepted');
  };

  test('an operator that there is not, by name', () => {
    expect(errorOf(dense(f32('w', [3, 4], 12))).message).toMatch(/operator TANH "z".*no such/);
  });

  test('weights that TFLite quantizes activations for', () => {
    const codes = {
      name: 'w',
      type: 9,
      shape: [3, 4],
      scales: [0.5],
      data: new Uint8Array(12),
    };
    expect(errorOf(dense(codes)).message).toMatch(/FULLY_CONNECTED "y".*dynamic range/);
  });
});
