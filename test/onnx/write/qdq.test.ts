// SPDX-License-Identifier: Apache-2.0
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { readOnnx } from '../../../src/onnx/file/reader.js';
import { importQuantized } from '../../../src/onnx/quantized/import.js';
import { writeQdq } from '../../../src/onnx/write/qdq.js';
import { Dice, quantGraphs, randomQuantGraph } from './random-quant-graph.js';

test('any quantized graph comes back from its QDQ file as it was', () => {
  fc.assert(
    fc.property(quantGraphs, (graph) => {
      const again = importQuantized(readOnnx(writeQdq(graph)));
      if (!isDeepStrictEqual(again, graph)) expect(again).toEqual(graph);
    }),
    { numRuns: 300, seed: 20261122 },
  );
});

test('a second writing gives the same bytes', () => {
  fc.assert(
    fc.property(quantGraphs, (graph) => {
      const bytes = writeQdq(graph);
      expect(Buffer.compare(bytes, writeQdq(importQuantized(readOnnx(bytes))))).toBe(0);
    }),
    { numRuns: 50, seed: 7 },
  );
});

test('onnxruntime loads and runs the files with optimisation off', async () => {
  for (let seed = 0; seed < 60; seed++) {
    const graph = randomQuantGraph(new Dice(seed));
    const { shape } = graph.values.get(graph.input)!;
    const session = await InferenceSession.create(writeQdq(graph), {
      graphOptimizationLevel: 'disabled',
      intraOpNumThreads: 1,
    });
    const size = shape.reduce((a, b) => a * b, 1);
    const dice = new Dice(seed + 1000);
    const input = Float32Array.from({ length: size }, () => dice.next() * 2 - 1);
    const result = await session.run({ [graph.input]: new Tensor('float32', input, shape) });
    for (const name of graph.outputs) {
      const { scale, zeroPoint, shape: expected } = graph.values.get(name)!;
      const output = result[name]!;
      expect(output.dims).toEqual([...expected]);
      // What comes out lies on the grid of codes.
      for (const real of output.data as Float32Array) {
        const code = real / scale + zeroPoint;
        expect(Math.abs(code - Math.round(code))).toBeLessThan(0.01);
      }
    }
    await session.release();
  }
});
