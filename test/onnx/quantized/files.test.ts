// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { readOnnx, readOnnxFile } from '../../../src/onnx/file/reader.js';
import { importQuantized, quantizationState } from '../../../src/onnx/quantized/import.js';
import { writeQdq } from '../../../src/onnx/write/qdq.js';

const data = process.env.LASTBIT_DATA;
const real = data === undefined ? describe.skip : describe;
const path = (name: string) => join(data ?? '', 'models/quantized', name);

real('real ONNX files (skipped where LASTBIT_DATA is not set)', () => {
  test('V2 as QDQ with float weights on the 8-bit grid', () => {
    const model = readOnnxFile(path('mobilenet_v2_1.0_224_quant_qdq.onnx'));
    expect(quantizationState(model)).toBe('qdq');
    const graph = importQuantized(model);
    const count = (op: string) => graph.nodes.filter((node) => node.op === op).length;
    expect([count('Conv'), count('Add'), count('GlobalAveragePool')]).toEqual([53, 10, 1]);
    expect(graph.input).toBe('input');
    expect(graph.values.get('input')?.shape).toEqual([1, 3, 224, 224]);
    expect(graph.outputs).toEqual(['logits']);
    // Not toEqual: it takes half a minute for three million weights.
    expect(isDeepStrictEqual(importQuantized(readOnnx(writeQdq(graph))), graph)).toBe(true);
  });

  test('torchvision V2 as QOperator', () => {
    const model = readOnnxFile(path('mobilenet_v2_1.0_224_torchvision_qop.onnx'));
    expect(quantizationState(model)).toBe('qop');
    const graph = importQuantized(model);
    const count = (op: string) => graph.nodes.filter((node) => node.op === op).length;
    // 52 convolutions, the classifier, and the constant operand of the addition after it.
    expect([count('Conv'), count('Add'), count('GlobalAveragePool')]).toEqual([54, 11, 1]);
    // Not toEqual: it takes half a minute for three million weights.
    expect(isDeepStrictEqual(importQuantized(readOnnx(writeQdq(graph))), graph)).toBe(true);
  });
});
