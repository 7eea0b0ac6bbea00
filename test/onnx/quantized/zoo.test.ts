// SPDX-License-Identifier: Apache-2.0
// One small network as the tools export it that people quantize with (test/oracles/export_zoo.py): read, and
// equal to what their runtime computes, or refused with the layer and the way out.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Engine } from '../../../src/engine/engine.js';
import type { QuantGraph } from '../../../src/graph/quant-graph.js';
import { readOnnx } from '../../../src/onnx/file/reader.js';
import { importQuantized } from '../../../src/onnx/quantized/import.js';
import { quantizeInput } from '../../../src/program/input.js';
import { lower } from '../../../src/program/lower.js';
import { findTarget } from '../../../src/targets/index.js';
import { importTflite } from '../../../src/tflite/import.js';

interface Export {
  readonly file: string;
  readonly images: number;
  readonly outputs: string;
  readonly inputs?: string;
}

const folder = join(__dirname, '../../golden/zoo');
const zoo = JSON.parse(readFileSync(join(folder, 'zoo.json'), 'utf8')) as Record<string, Export>;
const bytesOf = (name: string) => readFileSync(join(folder, zoo[name]!.file));
const decoded = (text: string) => Uint8Array.from(Buffer.from(text, 'base64'));
const images = new Float32Array(Uint8Array.from(readFileSync(join(folder, 'images.f32'))).buffer);

const read = (name: string): QuantGraph => importQuantized(readOnnx(bytesOf(name)));

/** How many steps of the output each value is from the runtime's. */
function distances(name: string): number[] {
  const program = lower(read(name), findTarget('onnxruntime'));
  const want = new Float32Array(decoded(zoo[name]!.outputs).buffer);
  const engine = Engine.load(program);
  const { scale, zeroPoint } = program.tensors[program.outputs[0]!]!;
  const size = images.length / zoo[name]!.images;
  const rows = Array.from({ length: zoo[name]!.images }, (_, i) => {
    const codes = quantizeInput(program, images.slice(i * size, (i + 1) * size));
    return [...engine.runSync(codes).outputs[0]!.data];
  });
  engine.close();
  expect(new Set(rows.flat()).size).toBeGreaterThan(30);
  return rows.flat().map((code, i) => Math.abs((code - zeroPoint) * scale - want[i]!) / scale);
}

const exact = [
  ...['aimet', 'brevitas-qcdq', 'brevitas-qonnx'],
  ...['quark-a8w8', 'quark-s8s8-aaws', 'quark-u8s8-aaws', 'quark-xint8'],
];

test.each(exact)('%s: every score as in its runtime', (name) => {
  const steps = distances(name);
  expect(steps).toHaveLength(320);
  expect(Math.max(...steps)).toBeLessThan(0.001);
});

test('pt2e-xnnpack: its biases are float, so that a score may be two steps off', () => {
  expect(Math.max(...distances('pt2e-xnnpack'))).toBeLessThan(2.001);
});

test('ai-edge-quantizer: every code of the reference kernels', () => {
  const name = 'ai-edge-quantizer';
  const program = lower(importTflite(bytesOf(name), name), findTarget('tflite-ref'));
  const codes = new Int8Array(decoded(zoo[name]!.inputs!).buffer);
  const want = new Int8Array(decoded(zoo[name]!.outputs).buffer);
  const engine = Engine.load(program);
  const size = codes.length / zoo[name]!.images;
  const got = Array.from({ length: zoo[name]!.images }, (_, i) => [
    ...engine.runSync(codes.slice(i * size, (i + 1) * size)).outputs[0]!.data,
  ]).flat();
  engine.close();
  expect(got).toEqual([...want]);
  expect(new Set(got).size).toBeGreaterThan(20);
});

const refused: Readonly<Record<string, RegExp>> = {
  nncf: /"QuantizeLinear_expand_relu_1".*one scale for an activation, got 24; quantize activations per tensor/,
  'nncf-per-tensor': /"scores": its result is output "output" without a quantization; add Quantize/,
  modelopt: /"project": its result reaches node "sum" \(Add\) without QuantizeLinear/,
  'pt2e-x86': /"node_conv2d_3": its result reaches node "node_add" \(Add\) without QuantizeLinear/,
};

test.each(Object.entries(refused))('%s: refused by name', (name, reason) => {
  expect(() => read(name)).toThrow(reason);
});

test('every export is one of these', () => {
  const known = [...exact, ...Object.keys(refused), 'pt2e-xnnpack', 'ai-edge-quantizer'];
  expect(Object.keys(zoo).sort()).toEqual(known.sort());
});
