// SPDX-License-Identifier: Apache-2.0
import { pixelValues, presets } from '../../../src/data/presets.js';
import { openFloatRunner } from '../../../src/float/runner.js';
import { fitPixels } from '../../../src/quantize/pixel-input/fit-pixels.js';
import { quantizeGraph } from '../../../src/quantize/quantize.js';
import { findRecipe, withChanges } from '../../../src/quantize/recipe.js';
import { quantizationOf } from '../../../src/quantize/codes/scales.js';
import { findTarget } from '../../../src/targets/index.js';
import { randomSamples, separableNet } from '../small-graphs.js';

const schemes = {
  s8: { dtypes: ['s8'], zeroPoint: true, powerOfTwo: false },
  u8: { dtypes: ['u8'], zeroPoint: true, powerOfTwo: false },
} as const;

/** The code before rounding. */
const exact = (value: number, { scale, zeroPoint }: { scale: number; zeroPoint: number }): number =>
  value / scale + zeroPoint;

test.each(['s8', 'u8'] as const)(
  'pixels of tf lie on ties of the full range, and no longer (%s)',
  (dtype) => {
    const pixels = pixelValues(presets.tf, 3);
    const present = quantizationOf({ min: -1, max: 1 }, dtype, schemes[dtype]);
    const { quantization, before, after } = fitPixels(present, pixels, true);
    expect(before).toBeCloseTo(0.5, 2);
    // The error of values that fall anywhere.
    expect(after).toBeLessThan(1.02 / Math.sqrt(12));
    for (const value of pixels) {
      const code = exact(value, quantization);
      expect(Math.abs(code - Math.floor(code) - 0.5)).toBeGreaterThan(1e-3);
      expect(Math.round(code)).toBeGreaterThanOrEqual(dtype === 's8' ? -128 : 0);
      expect(Math.round(code)).toBeLessThanOrEqual(dtype === 's8' ? 127 : 255);
    }
  },
);

test('pixels that have a code each keep it', () => {
  const pixels = pixelValues(presets.unit, 1);
  const present = quantizationOf({ min: 0, max: 1 }, 'u8', schemes.u8);
  const { quantization, before } = fitPixels(present, pixels, true);
  expect(quantization).toEqual(present);
  expect(before).toBeLessThan(1e-4);
});

test('without zero points the present one stays', () => {
  const pixels = pixelValues(presets.tf, 3);
  const present = { dtype: 's8', bits: 8, scale: Math.fround(2 / 255), zeroPoint: 0 } as const;
  const { quantization } = fitPixels(present, pixels, false);
  expect(quantization.zeroPoint).toBe(0);
  expect(quantization.scale).toBeCloseTo(1 / 127, 6);
});

test('what the range clips does not widen it', () => {
  const present = quantizationOf({ min: -0.5, max: 0.5 }, 's8', schemes.s8);
  const { quantization } = fitPixels(present, pixelValues(presets.tf, 3), true);
  expect(quantization.scale / present.scale).toBeLessThan(1.08);
});

describe('in the recipe', () => {
  const graph = separableNet(3);
  const samples = randomSamples(graph, 8);
  const input = graph.inputs[0]!.name;
  const pixels = (): Float32Array => pixelValues(presets.tf, 3);
  const quantize = (target: string, changes: object, values?: () => Float32Array | undefined) =>
    quantizeGraph({
      ...{ graph, samples, openFloatRunner },
      recipe: withChanges(findRecipe('naive'), changes),
      constraints: findTarget(target).constraints,
      ...(values === undefined ? {} : { pixels: values }),
    });
  const stepOf = async (...how: Parameters<typeof quantize>) =>
    (await quantize(...how)).quantGraph.values.get(input)!.scale;

  test('moves the scale where asked to, and biases follow', async () => {
    const before = await quantize('tflm', {}, pixels);
    const after = await quantize('tflm', { pixelInput: true }, pixels);
    expect(before.steps.map(({ name }) => name)).not.toContain('pixel-input');
    const { changed } = after.steps.find(({ name }) => name === 'pixel-input')!;
    expect(changed).toMatch(/^step of "\w+" [\d.]+ to [\d.]+; error of a pixel/);
    expect(after.quantGraph.values.get(input)!.scale).toBeGreaterThan(
      before.quantGraph.values.get(input)!.scale,
    );
    expect(findRecipe('best').pixelInput).toBe(true);
  });

  test('leaves powers of two, and samples that are no pixels', async () => {
    const full = await stepOf('pow2', {}, pixels);
    expect(await stepOf('pow2', { pixelInput: true }, pixels)).toBe(full);
    const tflm = await stepOf('tflm', {});
    expect(await stepOf('tflm', { pixelInput: true })).toBe(tflm);
    expect(await stepOf('tflm', { pixelInput: true }, () => undefined)).toBe(tflm);
  });
});
