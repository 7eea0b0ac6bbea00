// SPDX-License-Identifier: Apache-2.0
// Small networks of the mobile families, as PyTorch exports them (test/oracles/families.py --small): each is
// quantized by the default recipe, keeps its float results as far as 8 bits let it, and gives onnxruntime's codes.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { Engine } from '../../src/engine/engine.js';
import { nativeSolver } from '../../src/engine/solver.js';
import { openFloatRunner } from '../../src/float/runner.js';
import type { Graph } from '../../src/graph/graph.js';
import type { QuantGraph } from '../../src/graph/quant-graph.js';
import { readOnnx } from '../../src/onnx/file/reader.js';
import { importOnnx } from '../../src/onnx/float/import.js';
import { writeQdq } from '../../src/onnx/write/qdq.js';
import { canonicalize } from '../../src/passes/index.js';
import { lower } from '../../src/program/lower.js';
import { quantizeInput } from '../../src/program/input.js';
import { quantizeGraph } from '../../src/quantize/quantize.js';
import { findRecipe } from '../../src/quantize/recipe.js';
import { findTarget } from '../../src/targets/index.js';
import { randomSamples } from '../quantize/small-graphs.js';

const folder = join(__dirname, '../golden/families');
const files = readdirSync(folder).filter((file) => file.endsWith('.onnx'));
const target = findTarget('onnxruntime');

/** dB of all outputs, 3 below what was measured: random weights let noise through that training does not. */
const least: Readonly<Record<string, number>> = {
  'ds-cnn': 46,
  efficientnet: 22,
  fomo: 21,
  ghostnet: 33,
  leaky: 40,
  mnasnet: 28,
  mobilefacenet: 15,
  mobilenetv3: 23,
  resnet8: 24,
  shufflenetv2: 40,
  squeezenet: 47,
  'ssd-mobilenet': 12,
};

function readFamily(file: string): Graph {
  return canonicalize(importOnnx(readOnnx(readFileSync(join(folder, file)), { file })));
}

async function quantized(graph: Graph): Promise<QuantGraph> {
  const { constraints } = target;
  const samples = randomSamples(graph, 16);
  const common = { graph, samples, constraints, openFloatRunner, solver: nativeSolver(1) };
  const { quantGraph } = await quantizeGraph({ ...common, recipe: findRecipe('best') });
  return quantGraph;
}

/** [1,H,W,C] codes as the reals of [1,C,H,W]. */
function realsOf(
  data: ArrayLike<number>,
  channels: number,
  { scale, zeroPoint }: { readonly scale: number; readonly zeroPoint: number },
): Float32Array {
  const area = data.length / channels;
  return Float32Array.from({ length: data.length }, (_, i) =>
    Math.fround(scale * (data[(i % area) * channels + Math.floor(i / area)]! - zeroPoint)),
  );
}

test.each(files)('%s', async (file) => {
  const graph = readFamily(file);
  const quantGraph = await quantized(graph);
  const program = lower(quantGraph, target);
  const engine = Engine.load(program, { threads: 1 });
  const float = await openFloatRunner(graph, []);
  const session = await ort.InferenceSession.create(writeQdq(quantGraph), {
    graphOptimizationLevel: 'all',
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  let [signal, noise, differing] = [0, 0, 0];
  for await (const { input } of randomSamples(graph, 4, 99)) {
    const want = await float.run(input);
    const [name] = session.inputNames;
    const runtime = await session.run({
      [name!]: new ort.Tensor('float32', input, graph.inputs[0]!.shape),
    });
    const { outputs } = await engine.run(quantizeInput(program, input));
    outputs.forEach(({ data }, i) => {
      const value = quantGraph.values.get(quantGraph.outputs[i]!)!;
      const got = realsOf(data, value.shape[1]!, value);
      const theirs = runtime[value.name]!.data as Float32Array;
      const real = want.get(value.name)!;
      expect(theirs.length).toBe(got.length);
      got.forEach((x, at) => {
        if (x !== theirs[at]) differing += 1;
        signal += real[at]! ** 2;
        noise += (real[at]! - x) ** 2;
      });
    });
  }
  engine.close();
  await float.close();
  expect(differing).toBe(0);
  const [family = ''] = file.split('.');
  expect(10 * Math.log10(signal / noise)).toBeGreaterThan(least[family]!);
});

test('every family has a file', () => {
  expect(files.map((file) => file.split('.')[0]!)).toEqual(Object.keys(least).sort());
});
