// SPDX-License-Identifier: Apache-2.0
import { openFileRunner, openFloatRunner } from '../../src/float/runner.js';
import { importOnnx } from '../../src/onnx/float/import.js';
import { canonicalize } from '../../src/passes/index.js';
import { f32, model, node } from '../onnx/build.js';

const net = () =>
  importOnnx(
    model({
      input: [1, 1, 2, 2],
      output: [1, 1, 1, 1],
      nodes: [
        node('Conv', ['x', 'w'], 'c', {}, 'double'),
        node('Relu', ['c'], 'r'),
        node('GlobalAveragePool', ['r'], 'y'),
      ],
      weights: { w: f32([1, 1, 1, 1], [2]) },
    }),
  );

test('outputs and taps of any value, the input among them', async () => {
  const runner = await openFloatRunner(net(), ['c', 'r', 'x']);
  const input = Float32Array.of(1, -2, 3, -4);
  const values = await runner.run(input);
  expect(Object.fromEntries(values)).toEqual({
    x: input,
    c: Float32Array.of(2, -4, 6, -8),
    r: Float32Array.of(2, 0, 6, 0),
    y: Float32Array.of(2),
  });
  // The arrays are the caller's: a second run leaves them alone.
  await runner.run(new Float32Array(4));
  expect(values.get('y')).toEqual(Float32Array.of(2));
  await runner.close();
});

test('a fused layer is tapped after its clamp', async () => {
  const graph = canonicalize(net());
  expect(graph.nodes.map(({ name, outputs }) => [name, outputs])).toEqual([
    ['double', ['r']],
    ['n_y', ['y']],
  ]);
  const runner = await openFloatRunner(graph, ['r']);
  expect((await runner.run(Float32Array.of(1, -2, 3, -4))).get('r')).toEqual(
    Float32Array.of(2, 0, 6, 0),
  );
  await runner.close();
});

test('wrong sizes, unknown taps and refused models are errors with a way out', async () => {
  const runner = await openFloatRunner(net());
  await expect(runner.run(new Float32Array(3))).rejects.toThrow(
    /\[bad-input\] input "x": expected 4 values for \[1,1,2,2\], got 3/,
  );
  await runner.close();
  await expect(openFloatRunner(net(), ['gone'])).rejects.toThrow(/\[missing-value\] tap "gone"/);
  await expect(openFileRunner(Uint8Array.of(1, 2, 3), [1])).rejects.toThrow(/\[float-runtime\]/);
});

test('without the package the error says what to install', async () => {
  jest.resetModules();
  jest.doMock('onnxruntime-node', () => {
    throw new Error("Cannot find module 'onnxruntime-node'\nRequire stack: ...");
  });
  await expect(openFloatRunner(net())).rejects.toThrow(
    /^\[missing-package\] onnxruntime-node: .*run: npm install onnxruntime-node$/,
  );
  jest.dontMock('onnxruntime-node');
});
