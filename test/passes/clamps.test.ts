// SPDX-License-Identifier: Apache-2.0
import { fuseClamps } from '../../src/passes/fuse-clamps.js';
import { canonicalize } from '../../src/passes/index.js';
import { recognizeHardSwish } from '../../src/passes/recognize-hard-swish.js';
import { disagreement } from '../onnx/agree.js';
import { f32, float, model, node, randomTensor } from '../onnx/build.js';
import { find, graphOf, ops } from './nets.js';

const w = randomTensor([4, 3, 3, 3], 1);
const conv = node('Conv', ['x', 'w'], 'c', {}, 'first');
const bounds = { zero: f32([], [0]), six: f32([], [6]), three: f32([], [3]), half: f32([], [0.5]) };

test('Relu, Clip and per-channel bounds merge into the convolution, in order', async () => {
  const chain = {
    output: [1, 4, 6, 6],
    nodes: [
      conv,
      node('Relu', ['c'], 'r'),
      node('Min', ['r', 'hi'], 'm'),
      node('Clip', ['m', 'half', 'six'], 'y'),
    ],
    weights: { w, ...bounds, hi: f32([1, 4, 1, 1], [0.25, 1, 7, 0.6]) },
  };
  const fused = fuseClamps(graphOf(chain));
  expect(ops(fused)).toEqual(['Conv']);
  const { clamp, outputs, name } = find(fused, 'Conv');
  expect([name, outputs]).toEqual(['first', ['y']]);
  // 0.5 above 0.25: the later clamp wins on both sides.
  expect([...clamp!.lo]).toEqual([0.5, 0.5, 0.5, 0.5]);
  expect([...clamp!.hi]).toEqual([0.5, 1, 6, Math.fround(0.6)]);
  expect(await disagreement(model(chain), fuseClamps)).toBe(0);
});

test('into an addition, but not past a value that others read', async () => {
  const residual = {
    output: [1, 4, 6, 6],
    nodes: [
      conv,
      node('Relu', ['c'], 'r'),
      node('Add', ['c', 'r'], 's'),
      node('Clip', ['s', 'zero', 'half'], 'y'),
    ],
    weights: { w, ...bounds },
  };
  const fused = fuseClamps(graphOf(residual));
  expect(ops(fused)).toEqual(['Conv', 'Clamp', 'Add']);
  expect(find(fused, 'Add').clamp).toEqual({ lo: Float32Array.of(0), hi: Float32Array.of(0.5) });
  expect(await disagreement(model(residual), fuseClamps)).toBe(0);
});

const swishForms = {
  'x * (clip(x+3) / 6)': [
    node('Add', ['c', 'three'], 'a'),
    node('Clip', ['a', 'zero', 'six'], 'k'),
    node('Div', ['k', 'six'], 'g'),
    node('Mul', ['c', 'g'], 'y'),
  ],
  '(x * clip(x+3)) / 6': [
    node('Add', ['three', 'c'], 'a'),
    node('Clip', ['a', 'zero', 'six'], 'k'),
    node('Mul', ['k', 'c'], 'g'),
    node('Div', ['g', 'six'], 'y'),
  ],
  '(clip(x+3) * 1/6) * x': [
    node('Add', ['c', 'three'], 'a'),
    node('Clip', ['a', 'zero', 'six'], 'k'),
    node('Mul', ['sixth', 'k'], 'g'),
    node('Mul', ['g', 'c'], 'y'),
  ],
  'x * hardsigmoid(x)': [
    node('HardSigmoid', ['c'], 'g', { alpha: float(1 / 6) }),
    node('Mul', ['c', 'g'], 'y'),
  ],
};

test.each(Object.keys(swishForms))('hard swish as %s', async (form) => {
  const parts = {
    output: [1, 4, 6, 6],
    nodes: [conv, ...swishForms[form as keyof typeof swishForms]],
    weights: { w, ...bounds, sixth: f32([1], [1 / 6]) },
  };
  const found = recognizeHardSwish(graphOf(parts));
  expect(ops(found)).toEqual(['Conv', 'HardSwish']);
  const { alpha, beta } = find(found, 'HardSwish');
  expect(alpha).toBeCloseTo(1 / 6, 6);
  expect(beta).toBeCloseTo(0.5, 6);
  expect(await disagreement(model(parts), canonicalize)).toBeLessThan(1e-6);
});

test('a ramp with another slope is no hard swish', () => {
  const parts = {
    output: [1, 4, 6, 6],
    nodes: [
      conv,
      node('Add', ['c', 'three'], 'a'),
      node('Clip', ['a', 'zero', 'six'], 'k'),
      node('Div', ['k', 'three'], 'g'),
      node('Mul', ['c', 'g'], 'y'),
    ],
    weights: { w, ...bounds },
  };
  expect(ops(recognizeHardSwish(graphOf(parts)))).toEqual(['Conv', 'Add', 'Clamp', 'Div', 'Mul']);
});
