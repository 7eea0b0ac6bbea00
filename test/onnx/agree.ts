// SPDX-License-Identifier: Apache-2.0
// Runs a model as it is and what lastbit made of it on the same numbers, both in onnxruntime.
import { openFileRunner, openFloatRunner } from '../../src/float/runner.js';
import type { Graph } from '../../src/graph/graph.js';
import { elementCount } from '../../src/graph/tensors.js';
import { encodeModel } from '../../src/onnx/file/encode.js';
import type { OnnxModel } from '../../src/onnx/file/model.js';
import { importOnnx } from '../../src/onnx/float/import.js';
import { inputLayoutKey } from '../../src/passes/input-to-nchw.js';
import { randomNumbers } from './build.js';

/**
 * The largest difference between the outputs of `model` and of the graph that `transform` makes of
 * its import, over the largest output, on `runs` random inputs.
 */
export async function disagreement(
  model: OnnxModel,
  transform: (graph: Graph) => Graph,
  runs = 2,
): Promise<number> {
  const graph = transform(importOnnx(model));
  const [input] = graph.inputs;
  const nhwc = graph.metadata.get(inputLayoutKey) === 'NHWC';
  const [n, c, h, w] = input!.shape as [number, number, number, number];
  const ours = await openFloatRunner(graph, []);
  const theirs = await openFileRunner(encodeModel(model), nhwc ? [n, h, w, c] : input!.shape);
  const next = randomNumbers(1);
  let worst = 0;
  for (let run = 0; run < runs; run++) {
    const nchw = Float32Array.from({ length: elementCount(input!.shape) }, () => 3 * next());
    const got = (await ours.run(nchw)).get('y')!;
    const want = (await theirs.run(nhwc ? toNhwc(nchw, c, h * w) : nchw)).get('y')!;
    if (got.length !== want.length)
      throw new Error(`${got.length} values, ${want.length} expected`);
    const size = want.reduce((max, value) => Math.max(max, Math.abs(value)), 1e-3);
    // A comparison with NaN must not pass: a maximum would ignore it.
    got.forEach((value, i) => {
      const error = Math.abs(value - want[i]!) / size;
      if (!(error <= worst)) worst = error;
    });
  }
  await ours.close();
  await theirs.close();
  return worst;
}

export function toNhwc(nchw: Float32Array, channels: number, pixels: number): Float32Array {
  const nhwc = new Float32Array(nchw.length);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < pixels; i++) nhwc[i * channels + c] = nchw[c * pixels + i]!;
  }
  return nhwc;
}
