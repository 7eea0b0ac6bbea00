// SPDX-License-Identifier: Apache-2.0
import { foldBatchNorm } from '../../src/passes/fold-batch-norm.js';
import { canonicalize } from '../../src/passes/index.js';
import { disagreement } from '../onnx/agree.js';
import { f32, float, int, ints, model, node, randomTensor } from '../onnx/build.js';
import { find, graphOf, ops } from './nets.js';

const norm = (x: string, y: string, p: string) =>
  node('BatchNormalization', [x, `${p}s`, `${p}b`, `${p}m`, `${p}v`], y, { epsilon: float(0.01) });

const parameters = (p: string, channels: number, variance: number[]) => ({
  [`${p}s`]: randomTensor([channels], 11),
  [`${p}b`]: randomTensor([channels], 12),
  [`${p}m`]: randomTensor([channels], 13),
  [`${p}v`]: f32([channels], variance),
});

const w = randomTensor([3, 1, 3, 3], 1);
const depthwise = node('Conv', ['x', 'w'], 'c', { group: int(3), pads: ints(1, 1, 1, 1) }, 'dw');

const afterDepthwise = {
  output: [1, 3, 8, 8],
  nodes: [depthwise, norm('c', 'y', 'p')],
  weights: { w, ...parameters('p', 3, [2, 0, 1e-12]) },
};

test('folds after a depthwise convolution, variance 0 included, and keeps the statistics', async () => {
  const folded = foldBatchNorm(graphOf(afterDepthwise));
  expect(ops(folded)).toEqual(['Conv']);
  expect(find(folded, 'Conv')).toMatchObject({ name: 'dw', outputs: ['y'] });
  const { ps, pb, pv } = afterDepthwise.weights as Record<string, { data: Float32Array }>;
  const statistics = folded.normalizations.get('dw')!;
  expect([...statistics.mean]).toEqual([...pb!.data]);
  expect([...statistics.std]).toEqual([...ps!.data].map(Math.abs));
  expect([...statistics.variance]).toEqual([...pv!.data]);
  [...statistics.alpha].forEach((alpha, c) => {
    expect(alpha).toBeCloseTo(ps!.data[c]! / Math.sqrt(pv!.data[c]! + 0.01), 5);
  });
  expect(await disagreement(model(afterDepthwise), foldBatchNorm)).toBeLessThan(1e-6);
});

test('two norms in a row fold one after the other; alpha is their product', async () => {
  const twice = {
    output: [1, 3, 8, 8],
    nodes: [depthwise, norm('c', 'd', 'p'), norm('d', 'y', 'q')],
    weights: { w, ...parameters('p', 3, [2, 1, 3]), ...parameters('q', 3, [1, 4, 0.5]) },
  };
  const folded = foldBatchNorm(graphOf(twice));
  expect(ops(folded)).toEqual(['Conv']);
  const { ps } = twice.weights as Record<string, { data: Float32Array }>;
  const product = (ps!.data[0]! / Math.sqrt(2.01)) * (ps!.data[0]! / Math.sqrt(1.01));
  expect(folded.normalizations.get('dw')!.alpha[0]).toBeCloseTo(product, 5);
  expect(await disagreement(model(twice), foldBatchNorm)).toBeLessThan(1e-6);
});

test('stays where the convolution is read by others', async () => {
  const shared = {
    output: [1, 3, 8, 8],
    nodes: [depthwise, norm('c', 'n', 'p'), node('Add', ['c', 'n'], 'y')],
    weights: { w, ...parameters('p', 3, [2, 1, 3]) },
  };
  expect(ops(foldBatchNorm(graphOf(shared)))).toEqual(['Conv', 'BatchNorm', 'Add']);
  // and becomes a depthwise convolution of its own in the end
  expect(ops(canonicalize(graphOf(shared)))).toEqual(['Conv', 'Conv', 'Add']);
  expect(await disagreement(model(shared), canonicalize)).toBeLessThan(1e-6);
});

test('weights that two convolutions share are folded for one only', async () => {
  const shared = {
    output: [1, 3, 8, 8],
    nodes: [
      depthwise,
      norm('c', 'n', 'p'),
      node('Conv', ['n', 'w'], 'y', { group: int(3), pads: ints(1, 1, 1, 1) }),
    ],
    weights: { w, ...parameters('p', 3, [2, 1, 3]) },
  };
  expect(await disagreement(model(shared), foldBatchNorm)).toBeLessThan(1e-6);
});

test('folds after a fully connected layer', async () => {
  const dense = {
    input: [1, 6],
    output: [1, 4],
    nodes: [node('Gemm', ['x', 'g', 'h'], 'c'), norm('c', 'y', 'p')],
    weights: {
      g: randomTensor([6, 4], 1),
      h: randomTensor([4], 2),
      ...parameters('p', 4, [1, 2, 3, 4]),
    },
  };
  const image = {
    ...dense,
    input: [1, 6, 1, 1],
    nodes: [node('Flatten', ['x'], 'f'), ...dense.nodes],
  };
  image.nodes[1] = node('Gemm', ['f', 'g', 'h'], 'c');
  const canonical = canonicalize(graphOf(image));
  expect(ops(canonical)).toEqual(['Conv', 'Reshape']);
  expect(canonical.normalizations.size).toBe(1);
  expect(await disagreement(model(image), canonicalize)).toBeLessThan(1e-6);
});

test('a variance that makes the output infinite is an error naming the channel', () => {
  const zero = {
    ...afterDepthwise,
    nodes: [
      depthwise,
      node('BatchNormalization', ['c', 'ps', 'pb', 'pm', 'pv'], 'y', { epsilon: float(0) }, 'bn1'),
    ],
  };
  expect(() => foldBatchNorm(graphOf(zero))).toThrow(/\[bad-batch-norm\] node "bn1": .* channel 1/);
});

test('a norm spelled as Sub, Mul, Div, Add with constants folds too', async () => {
  const spelled = {
    output: [1, 3, 8, 8],
    nodes: [
      depthwise,
      node('Sub', ['c', 'mean'], 'a'),
      node('Mul', ['gain', 'a'], 'b'),
      node('Div', ['b', 'two'], 'd'),
      node('Sub', ['beta', 'd'], 'y'),
    ],
    weights: {
      w,
      mean: randomTensor([1, 3, 1, 1], 2),
      gain: randomTensor([3, 1, 1], 3),
      two: f32([], [2]),
      beta: randomTensor([1, 3, 1, 1], 4),
    },
  };
  expect(ops(foldBatchNorm(graphOf(spelled)))).toEqual(['Conv']);
  expect(await disagreement(model(spelled), foldBatchNorm)).toBeLessThan(1e-6);
});

test('norms and scales in any order fold in one go', async () => {
  const mixed = {
    output: [1, 3, 8, 8],
    nodes: [
      depthwise,
      node('Mul', ['c', 'gain'], 'a'),
      norm('a', 'b', 'p'),
      node('Add', ['b', 'gain'], 'y'),
    ],
    weights: { w, gain: randomTensor([3, 1, 1], 3), ...parameters('p', 3, [2, 1, 3]) },
  };
  expect(ops(foldBatchNorm(graphOf(mixed)))).toEqual(['Conv']);
  expect(await disagreement(model(mixed), foldBatchNorm)).toBeLessThan(1e-6);
});

test('a constant along the width is no channel scale', () => {
  const wide = {
    output: [1, 3, 8, 8],
    nodes: [depthwise, node('Mul', ['c', 'row'], 'y')],
    weights: { w, row: randomTensor([8], 2) },
  };
  expect(ops(foldBatchNorm(graphOf(wide)))).toEqual(['Conv', 'Mul']);
  expect(() => canonicalize(graphOf(wide))).toThrow(
    /\[unsupported-graph\].*differs from place to place/,
  );
});
