// SPDX-License-Identifier: Apache-2.0
import { HistogramObserver } from '../../../src/calibrate/observers/histogram.js';
import { openFloatRunner } from '../../../src/float/runner.js';
import { candidateRanges } from '../../../src/quantize/ranges/candidates.js';
import { divergence, minDivergenceRange } from '../../../src/quantize/ranges/kl.js';
import { quantizeGraph } from '../../../src/quantize/quantize.js';
import { rangeMethods, type RangeMethod } from '../../../src/quantize/ranges/settings.js';
import { parseRecipe } from '../../../src/quantize/recipe.js';
import {
  quantizationOf,
  type ActivationScheme,
  type Quantization,
} from '../../../src/quantize/codes/scales.js';
import { constraints, GraphBuilder, randomNumbers, randomSamples, relu6 } from '../small-graphs.js';

const affine: ActivationScheme = { dtypes: ['s8'], zeroPoint: true, powerOfTwo: false };
const pow2: ActivationScheme = { dtypes: ['s8'], zeroPoint: false, powerOfTwo: true };

/** A histogram of 32 bins on a grid of 1/4, and the values in it. */
function small(seed: number, negative: boolean) {
  const random = randomNumbers(seed);
  const values = Array.from({ length: 400 }, () => {
    const spread = random() + random() + random() + (random() > 0.97 ? 3 * random() : 0);
    const value = Math.floor(4 * spread) / 4 + 0.125;
    return negative ? value : Math.abs(value);
  });
  const counts = new Float64Array(64);
  for (const value of values) counts[32 + Math.floor(4 * value)]! += 1;
  const min = Math.min(...values);
  const max = Math.max(...values);
  return { values, histogram: { width: 0.25, side: 32, counts, zeros: 0, min, max } };
}

/** KL(P || Q) by its definition, value by value, in a map from bins to shares. */
function bruteForce(values: readonly number[], { scale, zeroPoint, bits }: Quantization): number {
  const [least, greatest] = [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
  const codeOf = (value: number) => Math.round(value / scale) + zeroPoint;
  const inside = values.filter((value) => codeOf(value) >= least && codeOf(value) <= greatest);
  const bins = [...new Set(inside)].sort((a, b) => a - b);
  if (bins.length === 0 || (bins.length === 1 && inside.length < values.length)) return Infinity;
  const nearest = (value: number) =>
    codeOf(value) < least ? bins[0]! : codeOf(value) > greatest ? bins.at(-1)! : value;
  let sum = 0;
  for (const bin of bins) {
    const p = values.filter((value) => nearest(value) === bin).length / values.length;
    const sharing = bins.filter((other) => codeOf(other) === codeOf(bin));
    const count = inside.filter((value) => sharing.includes(value)).length;
    sum += p * Math.log(p / (count / sharing.length / inside.length));
  }
  return sum;
}

/** 8 codes instead of 256, so that 32 bins share them. */
function coarse(scheme: ActivationScheme) {
  return (range: { min: number; max: number }): Quantization => {
    const { scale, zeroPoint } = quantizationOf(range, 's8', scheme);
    return { dtype: 's8', bits: 3, scale: scale * 32, zeroPoint: Math.round(zeroPoint / 32) };
  };
}

describe('divergence', () => {
  it.each([
    ['one-sided', 3, false, affine],
    ['two-sided', 4, true, affine],
    ['power of two', 5, true, pow2],
  ] as const)(
    'and the range of the least one are those of brute force, %s',
    (_, seed, negative, scheme) => {
      const { values, histogram } = small(seed, negative);
      const search = { quantize: coarse(scheme), powerOfTwo: scheme.powerOfTwo };
      const tried = candidateRanges(histogram, search, 'diagonal');
      const costs = tried.map((range) => bruteForce(values, search.quantize(range)));
      tried.forEach((range, i) => {
        expect(divergence(histogram, search.quantize(range))).toBeCloseTo(costs[i]!, 9);
      });
      const best = tried[costs.indexOf(Math.min(...costs))]!;
      expect(minDivergenceRange(histogram, search)).toEqual(best);
      expect(new Set(costs).size).toBeGreaterThan(3);
    },
  );

  it('does not count exact zeros, which every quantization keeps', () => {
    const { histogram } = small(4, true);
    const counts = histogram.counts.slice();
    counts[histogram.side]! += 1000;
    const quantization = coarse(affine)({ min: histogram.min, max: histogram.max });
    const without = divergence(histogram, quantization);
    expect(divergence({ ...histogram, counts, zeros: 1000 }, quantization)).toBe(without);
    expect(divergence({ ...histogram, counts }, quantization)).not.toBe(without);
  });

  it('of exact zeros and constants leaves usable ranges', () => {
    for (const values of [
      [0, 0, 0],
      [4, 4],
      [0, 0, -3],
    ]) {
      const observer = new HistogramObserver();
      observer.observe(Float32Array.from(values));
      const quantize = (range: { min: number; max: number }) => quantizationOf(range, 's8', affine);
      const { scale } = quantize(minDivergenceRange(observer.result(), { quantize }));
      expect(scale > 0 && Number.isFinite(scale)).toBe(true);
    }
  });
});

test('exponents are scanned one by one', () => {
  const { histogram } = small(1, true);
  const quantize = (range: { min: number; max: number }) => quantizationOf(range, 's8', pow2);
  const ranges = candidateRanges(histogram, { quantize, powerOfTwo: true }, 'all');
  const exponents = ranges.map((range) => Math.log2(quantize(range).scale));
  expect(exponents).toEqual(exponents.map((_, i) => exponents[0]! - i));
  expect(exponents.length).toBeGreaterThan(8);
});

test('a weighted histogram counts each channel by its weight', () => {
  const observer = new HistogramObserver(Float64Array.of(2, 0, 0.5));
  observer.observe(Float32Array.of(1, 0, 5, 5, 0, -1));
  const { counts, zeros, min, max, side } = observer.result();
  expect(counts.reduce((a, b) => a + b, 0)).toBe(5);
  expect(counts.subarray(0, side).reduce((a, b) => a + b, 0)).toBe(0.5);
  expect([zeros, min, max]).toEqual([2.5, -1, 5]);
});

describe('activation ranges', () => {
  const recipe = (method: RangeMethod) =>
    parseRecipe(JSON.stringify({ activations: { method, percentile: 99 } }), 'r.json');

  it.each(rangeMethods)('by %s are usable and the same twice', async (method) => {
    const builder = new GraphBuilder([1, 3, 8, 8]);
    const a = builder.conv('a', 'x', { outputs: 6, clamp: relu6(), spread: 1 });
    const graph = builder.graph(builder.conv('b', a, { outputs: 2 }));
    const common = { graph, samples: randomSamples(graph, 8), constraints, openFloatRunner };
    const once = await quantizeGraph({ ...common, recipe: recipe(method) });
    const twice = await quantizeGraph({ ...common, recipe: recipe(method) });
    expect(once.quantGraph).toEqual(twice.quantGraph);
    expect(once.steps[0]!.changed).toContain(method);
    for (const { scale } of once.quantGraph.values.values()) {
      expect(scale > 0 && Number.isFinite(scale)).toBe(true);
    }
  });

  it('leave the output its full range, which decides the answer', async () => {
    const builder = new GraphBuilder([1, 3, 8, 8]);
    const a = builder.conv('a', 'x', { outputs: 6 });
    const graph = builder.graph(builder.conv('b', a, { outputs: 2 }));
    const common = { graph, samples: randomSamples(graph, 8), constraints, openFloatRunner };
    const values = async (method: RangeMethod) =>
      (await quantizeGraph({ ...common, recipe: recipe(method) })).quantGraph.values;
    const [full, cut] = [await values('minmax'), await values('percentile')];
    expect(cut.get(a)!.scale).toBeLessThan(full.get(a)!.scale);
    expect(cut.get('b/y')).toEqual(full.get('b/y'));
  });

  it('by output ignore a wide channel that nothing depends on, by squared error do not', async () => {
    const builder = new GraphBuilder([1, 2, 8, 8]);
    const scales = Float32Array.of(1, 0, 0, 40);
    builder.constant('a/w', [2, 2, 1, 1], scales);
    builder.constant('b/w', [1, 2, 1, 1], Float32Array.of(1, 1e-4));
    const window = {
      op: 'Conv',
      kernel: [1, 1],
      strides: [1, 1],
      pads: [0, 0, 0, 0],
      dilations: [1, 1],
      group: 1,
    } as const;
    builder.node({ ...window, name: 'a', inputs: ['x', 'a/w'], outputs: ['y'] }, [1, 2, 8, 8]);
    builder.node({ ...window, name: 'b', inputs: ['y', 'b/w'], outputs: ['z'] }, [1, 1, 8, 8]);
    const graph = builder.graph('z');
    const common = { graph, samples: randomSamples(graph, 8), constraints, openFloatRunner };
    const scaleBy = async (method: RangeMethod) =>
      (await quantizeGraph({ ...common, recipe: recipe(method) })).quantGraph.values.get('y')!
        .scale;
    expect(await scaleBy('output')).toBeLessThan((await scaleBy('mse')) / 4);
  });
});
