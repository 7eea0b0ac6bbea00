// SPDX-License-Identifier: Apache-2.0
import { nativeSolver } from '../../../src/engine/solver.js';
import { UsageError } from '../../../src/errors.js';
import { openFloatRunner } from '../../../src/float/runner.js';
import { importQuantized } from '../../../src/onnx/quantized/import.js';
import { readOnnx } from '../../../src/onnx/file/reader.js';
import { writeQdq } from '../../../src/onnx/write/qdq.js';
import { encode } from '../../../src/program/encode.js';
import { lower } from '../../../src/program/lower.js';
import {
  layerBytes,
  schemeIn,
  schemesOf,
  withScheme,
} from '../../../src/quantize/mixed/schemes.js';
import { quantizeMixed, type MixedResult } from '../../../src/quantize/mixed/quantize-mixed.js';
import { findRecipe } from '../../../src/quantize/recipe.js';
import { dequantizeWeights } from '../../../src/quantize/codes/weights.js';
import { findTarget } from '../../../src/targets/index.js';
import { randomSamples, separableNet } from '../small-graphs.js';

const recipe = findRecipe('naive');

function mixed(target: string, maxDrop: number, images = 40): Promise<MixedResult> {
  const graph = separableNet(3);
  return quantizeMixed(
    {
      graph,
      samples: randomSamples(graph, images),
      constraints: findTarget(target).constraints,
      recipe,
      solver: nativeSolver(1),
      openFloatRunner,
    },
    maxDrop,
  );
}

test('every layer is cheaper where any drop is allowed, none where no choice is good enough', async () => {
  const all = (await mixed('tflm', 100)).choice;
  expect(all.layers.every(({ bits }) => bits === 4)).toBe(true);
  expect(all.after.bitOps).toBeCloseTo(all.before.bitOps / 2, 10);
  // Asked for better agreement than the widest scheme has, which is all images on this network.
  const none = (await mixed('tflm', -1)).choice;
  expect(none.before.agreement).toBe(100);
  expect(none.after).toEqual(none.before);
  expect(none.layers.every(({ bits, sqnrDb }) => bits === 8 && sqnrDb === null)).toBe(true);
  expect(all.after.bytes).toBeLessThan(none.after.bytes);
});

test('the choice is what the network has, and survives its file', async () => {
  const { quantGraph, choice, steps } = await mixed('tflm', 5);
  expect(steps[0]).toMatchObject({ name: 'auto' });
  const target = findTarget('tflm');
  for (const node of quantGraph.nodes) {
    if (node.op !== 'Conv') continue;
    const { bits, perChannel, bytes } = choice.layers.find(({ name }) => name === node.name)!;
    expect(node.weight.bits).toBe(bits);
    expect(layerBytes(node, schemeIn(node))).toBe(bytes);
    if (!perChannel) expect(node.weight.scales).toHaveLength(1);
    const largest = 2 ** (bits - 1);
    expect(node.weight.data.every((code) => Math.abs(code) <= largest)).toBe(true);
  }
  const again = importQuantized(readOnnx(writeQdq(quantGraph)));
  expect(encode(lower(again, target))).toEqual(encode(lower(quantGraph, target)));
});

test('a target of one scheme is told so', async () => {
  const { choice, steps } = await mixed('sheng2018', 50);
  expect(schemesOf(findTarget('sheng2018').constraints)).toEqual([{ bits: 8, perChannel: false }]);
  expect(steps[0]!.changed).toMatch(/8 bits in one form only/);
  expect(choice.after).toEqual(choice.before);
});

test('another scheme keeps the layer to within its rounding', async () => {
  const { constraints } = findTarget('tflm');
  const { quantGraph } = await mixed('tflm', 0);
  const conv = quantGraph.nodes.find((node) => node.op === 'Conv')!;
  const coarse = withScheme(quantGraph, conv.name, { bits: 8, perChannel: false }, constraints);
  const changed = coarse.nodes.find((node) => node.op === 'Conv' && node.name === conv.name)!;
  if (changed.op !== 'Conv') throw new Error('not a convolution');
  const [before, after] = [dequantizeWeights(conv.weight), dequantizeWeights(changed.weight)];
  const step = changed.weight.scales[0]!;
  before.forEach((weight, i) => {
    expect(Math.abs(weight - after[i]!)).toBeLessThanOrEqual(step * 0.5001);
  });
  const { scale } = quantGraph.values.get(quantGraph.input)!;
  conv.bias!.forEach((code, c) => {
    const real = code * scale * conv.weight.scales[conv.weight.scales.length === 1 ? 0 : c]!;
    expect(Math.abs(changed.bias![c]! * scale * step - real)).toBeLessThanOrEqual(scale * step);
  });
});

test('too few images are refused', async () => {
  await expect(mixed('tflm', 1, 9)).rejects.toThrow(UsageError);
});
