// SPDX-License-Identifier: Apache-2.0
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { QuantGraph } from '../../../src/graph/quant-graph.js';
import { readOnnx } from '../../../src/onnx/file/reader.js';
import { importQuantized, quantizationState } from '../../../src/onnx/quantized/import.js';
import { writeQdq } from '../../../src/onnx/write/qdq.js';
import { toQopModel, writeQop } from '../../../src/onnx/write/qop.js';
import { Dice, quantGraphs, randomQuantGraph } from './random-quant-graph.js';

test('any quantized graph comes back from its QOperator file as it was', () => {
  fc.assert(
    fc.property(quantGraphs, (graph) => {
      const again = importQuantized(readOnnx(writeQop(graph)));
      if (!isDeepStrictEqual(again, graph)) expect(again).toEqual(graph);
    }),
    { numRuns: 300, seed: 20261122 },
  );
});

test('QDQ to QOperator and back gives the same bytes', () => {
  fc.assert(
    fc.property(quantGraphs, (graph) => {
      const bytes = writeQdq(graph);
      const qop = writeQop(importQuantized(readOnnx(bytes)));
      expect(Buffer.compare(bytes, writeQdq(importQuantized(readOnnx(qop))))).toBe(0);
    }),
    { numRuns: 50, seed: 7 },
  );
});

/** Byte codes all over, clamps gone, one type of activations: what QOperator is made for. */
function plain(graph: QuantGraph): QuantGraph {
  const values = [...graph.values.values()].map((value) => {
    const zeroPoint = Math.min(Math.max(value.zeroPoint, 0), 255);
    return [value.name, { ...value, dtype: 'u8', bits: 8, zeroPoint }] as const;
  });
  const nodes = graph.nodes.map((node) => {
    if (node.op !== 'Conv') return node;
    const rest: { clamp?: unknown } & typeof node = { ...node };
    delete rest.clamp;
    return rest;
  });
  return { ...graph, values: new Map(values), nodes };
}

test('layers over bytes become integer operators', () => {
  const ops = new Set<string>();
  for (let seed = 0; seed < 200; seed++) {
    const model = toQopModel(plain(randomQuantGraph(new Dice(seed))));
    for (const { op, domain } of model.graph.nodes) ops.add(domain === '' ? op : `ms.${op}`);
    if (model.graph.nodes.some(({ op }) => op === 'QLinearConv')) {
      expect(quantizationState(model)).toBe('qop');
    }
  }
  for (const op of ['QLinearConv', 'ms.QGemm', 'ms.QLinearAdd', 'ms.QLinearGlobalAveragePool']) {
    expect([...ops]).toContain(op);
  }
});

test('onnxruntime computes the same with integer operators as with QDQ', async () => {
  let layers = 0;
  for (let seed = 0; seed < 40; seed++) {
    const graph = plain(randomQuantGraph(new Dice(seed)));
    if (graph.nodes.some((node) => node.op === 'Conv' && node.weight.dtype === 's16')) continue;
    const [qdq, qop] = await Promise.all([
      run(writeQdq(graph), graph, seed),
      run(writeQop(graph), graph, seed),
    ]);
    layers += toQopModel(graph).graph.nodes.filter(({ op }) => op.startsWith('QLinear')).length;
    for (const name of graph.outputs) {
      const { scale } = graph.values.get(name)!;
      qdq.get(name)!.forEach((real, i) => {
        // Sums of products in float32 and in integers may fall on two sides of a half.
        expect(Math.abs(real - qop.get(name)![i]!) / scale).toBeLessThan(graph.nodes.length * 2.01);
      });
    }
  }
  expect(layers).toBeGreaterThan(20);
});

async function run(bytes: Uint8Array, graph: QuantGraph, seed: number) {
  const { shape } = graph.values.get(graph.input)!;
  const session = await InferenceSession.create(bytes, {
    graphOptimizationLevel: 'disabled',
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const dice = new Dice(seed + 1000);
  const size = shape.reduce((a, b) => a * b, 1);
  const input = Float32Array.from({ length: size }, () => dice.next() * 2 - 1);
  const result = await session.run({ [graph.input]: new Tensor('float32', input, shape) });
  await session.release();
  return new Map(
    graph.outputs.map((name) => [name, Float32Array.from(result[name]!.data as Float32Array)]),
  );
}
