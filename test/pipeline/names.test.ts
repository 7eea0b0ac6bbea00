// SPDX-License-Identifier: Apache-2.0
// Names from files that every JavaScript object has, and tensors with two makers.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { encodeModel } from '../../src/onnx/file/encode.js';
import type { OnnxModel } from '../../src/onnx/file/model.js';
import { readOnnx } from '../../src/onnx/file/reader.js';
import { importOnnx } from '../../src/onnx/float/import.js';
import { importQuantized } from '../../src/onnx/quantized/import.js';
import { writeQdq } from '../../src/onnx/write/qdq.js';
import { inspectModel } from '../../src/pipeline/inspect.js';
import { parseUserTarget } from '../../src/targets/user-target.js';
import { importTflite } from '../../src/tflite/import.js';
import { ModelBuilder } from '../onnx/build-model.js';
import { writeTflite } from '../tflite/flat-writer.js';

const inherited = ['hasOwnProperty', '__proto__', 'constructor', 'toString'];

const folder = mkdtempSync(join(tmpdir(), 'lastbit-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function write(model: OnnxModel): string {
  const file = join(folder, 'model.onnx');
  writeFileSync(file, encodeModel(model));
  return file;
}

/** x -> Q/DQ -> Conv -> `name` -> Q/DQ */
function named(name: string): ModelBuilder {
  const b = new ModelBuilder();
  b.node('Conv', [b.pair('x', 0.5, 128), b.weights('w', [3, 2, 1, 1], 0.1)], name);
  b.outputs = [b.pair(name, 0.1, 3)];
  return b;
}

describe.each(inherited)('"%s"', (name) => {
  test('as an operator of a float or quantized model is refused by name, and counted', async () => {
    const float = new ModelBuilder();
    float.node(name, ['x'], 'y');
    float.outputs = ['y'];
    expect(() => importOnnx(float.model())).toThrow(/unsupported-op/);
    const quantized = named('y');
    quantized.node(name, ['y_dq'], 'z');
    quantized.outputs = [quantized.pair('z', 0.1, 3)];
    expect(() => importQuantized(quantized.model())).toThrow(/unsupported-op/);
    for (const b of [float, quantized]) {
      const { ops } = await inspectModel({ model: write(b.model()) });
      expect(Object.getOwnPropertyDescriptor(ops, name)?.value).toBe(1);
    }
  });

  test('as a tensor and as metadata comes back as it was', async () => {
    const b = named(name);
    b.node('Flatten', [`${name}_dq`], 'flat');
    b.outputs = [b.pair('flat', 0.1, 3)];
    const model = { ...b.model(), metadata: new Map([[name, 'text']]) };
    const graph = importQuantized(readOnnx(encodeModel(model)));
    expect(graph.values.has(name)).toBe(true);
    const again = importQuantized(readOnnx(writeQdq(graph)));
    expect(again.values).toEqual(graph.values);
    const { metadata } = await inspectModel({ model: write(model) });
    expect(Object.getOwnPropertyDescriptor(metadata, name)?.value).toBe('text');
  });

  test('as a key of a target of one’s own is refused', () => {
    const text = `{"id": "npu@1", "extends": "tflm", "constraints": {"${name}": 1}}`;
    expect(() => parseUserTarget(text, 'npu.json')).toThrow(/bad-target/);
  });
});

describe('a tensor with two makers is refused', () => {
  test.each<[string, (b: ModelBuilder) => unknown]>([
    ['two nodes', (b) => b.node('Relu', ['y_dq'], 'y')],
    ['a node and the input', (b) => b.node('Relu', ['y_dq'], 'x')],
    ['a node and an initializer', (b) => b.node('Relu', ['y_dq'], 'y_s')],
  ])('%s in ONNX', (_, add) => {
    const b = named('y');
    add(b);
    expect(() => readOnnx(encodeModel(b.model()))).toThrow(
      /duplicate-value\] tensor "(y|x|y_s)": expected one maker, got .* and node ".*" \(Relu\)/,
    );
  });

  test.each([1, 0])('two operators, or one and the input, in TFLite', (again) => {
    const tensor = (name: string) => ({
      name,
      type: 9,
      shape: [1, 2, 2, 3],
      scales: [0.5],
      zeroPoints: [0],
    });
    // RELU, twice.
    const file = writeTflite({
      tensors: [tensor('x'), tensor('y')],
      operators: [
        { code: 19, inputs: [0], outputs: [1] },
        { code: 19, inputs: [1], outputs: [again] },
      ],
      inputs: [0],
      outputs: [1],
    });
    expect(() => importTflite(file)).toThrow(/duplicate-value\] tensor ".": expected one maker/);
  });
});
