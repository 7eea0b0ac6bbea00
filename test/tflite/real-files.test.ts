// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { join } from '../../src/graph/join.js';
import type { QuantConv, QuantGraph } from '../../src/graph/quant-graph.js';
import { readOnnx, readOnnxFile } from '../../src/onnx/file/reader.js';
import { importQuantized } from '../../src/onnx/quantized/import.js';
import { writeQdq } from '../../src/onnx/write/qdq.js';
import { importTflite } from '../../src/tflite/import.js';

const data = process.env.LASTBIT_DATA;
const real = data === undefined ? describe.skip : describe;
const path = (name: string) => joinPath(data ?? '', 'models/quantized', name);
const load = (name: string) => importTflite(readFileSync(path(`${name}.tflite`)), name);

const ops = (graph: QuantGraph) => graph.nodes.map((node) => node.op);
const count = (graph: QuantGraph, op: string) => ops(graph).filter((name) => name === op).length;
const convs = (graph: QuantGraph) =>
  graph.nodes.filter((node): node is QuantConv => node.op === 'Conv');

/** Weights without their zero points, which files may choose freely. */
function centred({ weight }: QuantConv): Int16Array {
  const { data: codes, zeroPoints, shape } = weight;
  const perChannel = codes.length / shape[0]!;
  const centre = new Int16Array(codes.length);
  for (let i = 0; i < codes.length; i++) {
    const c = zeroPoints.length === 1 ? 0 : Math.floor(i / perChannel);
    centre[i] = codes[i]! - zeroPoints[c]!;
  }
  return centre;
}

real('real TFLite files (skipped where LASTBIT_DATA is not set)', () => {
  test('V1 1.0 uint8: backbone and head join', () => {
    const backbone = load('mobilenet_v1_1.0_224_quant_backbone');
    const head = load('mobilenet_v1_1.0_224_quant_head');
    const whole = join(backbone, head);
    expect(count(whole, 'Conv')).toBe(28);
    expect(ops(whole).slice(-4)).toEqual(['AveragePool', 'Conv', 'Reshape', 'Softmax']);
    expect(whole.values.get(whole.input)).toMatchObject({
      shape: [1, 3, 224, 224],
      dtype: 'u8',
      scale: 0.0078125,
      zeroPoint: 128,
    });
    expect(whole.values.get(whole.outputs[0]!)).toMatchObject({ shape: [1, 1001] });
    const again = importQuantized(readOnnx(writeQdq(whole)));
    expect(isDeepStrictEqual(again, whole)).toBe(true);
    expect(() => join(head, backbone)).toThrow(/cannot-join.*shape \[1, 1001\] meets/);
  });

  test('V1 0.25 128 uint8 and VWW int8 come back from QDQ as they were', () => {
    for (const [name, layers] of [
      ['mobilenet_v1_0.25_128_quant', 28],
      ['mobilenet_v1_0.25_96_vww_int8', 28],
    ] as const) {
      const graph = load(name);
      expect(count(graph, 'Conv')).toBe(layers);
      expect(graph.origin).toBe('tflite');
      expect(isDeepStrictEqual(importQuantized(readOnnx(writeQdq(graph))), graph)).toBe(true);
    }
    const vww = load('mobilenet_v1_0.25_96_vww_int8');
    expect(convs(vww).at(-1)).toMatchObject({ fullyConnected: true, group: 1 });
    expect(convs(vww)[1]!.weight.scales).toHaveLength(8);
    expect(vww.values.has('model/flatten/Reshape')).toBe(true);
  });

  test('V2 uint8 has the weights, biases and scales of its QDQ twin', () => {
    const tflite = load('mobilenet_v2_1.0_224_quant');
    expect([count(tflite, 'Conv'), count(tflite, 'Add')]).toEqual([53, 10]);
    const qdq = importQuantized(readOnnxFile(path('mobilenet_v2_1.0_224_quant_qdq.onnx')));
    const twins = convs(qdq);
    convs(tflite).forEach((conv, i) => {
      const twin = twins[i]!;
      expect(isDeepStrictEqual(centred(twin), centred(conv))).toBe(true);
      expect(isDeepStrictEqual(twin.bias, conv.bias)).toBe(true);
      expect([...twin.weight.scales]).toEqual([...conv.weight.scales]);
      expect([twin.kernel, twin.strides, twin.pads, twin.group]).toEqual([
        conv.kernel,
        conv.strides,
        conv.pads,
        conv.group,
      ]);
      expect(twin.clamp).toEqual(conv.clamp);
      const [a, b] = [qdq.values.get(twin.output)!, tflite.values.get(conv.output)!];
      expect([a.dtype, a.scale, a.zeroPoint]).toEqual([b.dtype, b.scale, b.zeroPoint]);
    });
  });
});
