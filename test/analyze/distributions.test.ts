// SPDX-License-Identifier: Apache-2.0
import { collect } from '../../src/calibrate/collect.js';
import {
  distributionNeeds,
  distributionsOf,
  findingsOf,
  untilScores,
  type Distributions,
} from '../../src/analyze/distributions/index.js';
import {
  expectedSqnrDb,
  medianOf,
  spreadOf,
  stepOf,
} from '../../src/analyze/distributions/spread.js';
import { openFloatRunner } from '../../src/float/runner.js';
import type { Graph } from '../../src/graph/graph.js';
import { quantizeGraph } from '../../src/quantize/quantize.js';
import { parseRecipe } from '../../src/quantize/recipe.js';
import {
  constraints,
  GraphBuilder,
  randomNumbers,
  randomSamples,
  separableNet,
} from '../quantize/small-graphs.js';

async function seen(graph: Graph, images = 6): Promise<Distributions> {
  const part = untilScores(graph);
  const needs = distributionNeeds(part);
  const open = (g: Graph, taps: readonly string[]) => openFloatRunner(g, taps);
  return distributionsOf(part, await collect(part, randomSamples(part, images), open, needs));
}

const layerOf = ({ layers }: Distributions, name: string) =>
  layers.find((layer) => layer.name === name)!;

describe('measures', () => {
  test('average channel precision is the mean share of the range that channels use', () => {
    const ends = { min: [-1, 0, 2], max: [1, 3, 2] };
    // Ranges 2, 3 and 0 of 4.
    expect(spreadOf(ends)).toEqual({
      min: -1,
      max: 3,
      channelPrecision: 5 / 12,
      constantChannels: 1,
    });
    expect(spreadOf({ min: [0, 0], max: [0, 0] }).channelPrecision).toBe(1);
  });

  test('expected SQNR: the published constant, and what rounding really does', () => {
    expect(expectedSqnrDb(1, { min: 0, max: 1 })).toBeCloseTo(58.92, 2);
    const random = randomNumbers(3);
    const values = Array.from({ length: 20000 }, () => 3 * random() + 1);
    const range = { min: Math.min(...values), max: Math.max(...values) };
    const step = stepOf(range);
    const squares = values.reduce((sum, value) => sum + value ** 2, 0);
    const errors = values.reduce(
      (sum, value) => sum + (value - step * Math.round(value / step)) ** 2,
      0,
    );
    const measured = 10 * Math.log10(squares / errors);
    expect(Math.abs(expectedSqnrDb(squares / values.length, range)! - measured)).toBeLessThan(0.2);
    expect(expectedSqnrDb(0, range)).toBeUndefined();
    expect(expectedSqnrDb(1, { min: 0, max: 0 })).toBeUndefined();
  });

  test('the step holds zero', () => {
    expect(stepOf({ min: 2, max: 5.1 })).toBeCloseTo(0.02, 12);
    expect(stepOf({ min: -5.1, max: -2 })).toBeCloseTo(0.02, 12);
  });

  test('the middle of an even number is the lower', () => {
    expect(medianOf([4, 1, 3, 2])).toBe(2);
    expect(medianOf([Infinity, 1])).toBe(1);
    expect(medianOf([])).toBeUndefined();
  });
});

describe('layers', () => {
  test('kinds, and what a stretched channel costs the others', async () => {
    const clean = separableNet(5, 0);
    const name = 'dw1/w';
    const { shape, data } = clean.constants.get(name)!;
    const stretched = (data as Float32Array).map((w, i) => (i < 9 ? 1000 * w : w));
    const constants = new Map(clean.constants).set(name, { dtype: 'f32', shape, data: stretched });
    const before = await seen(clean);
    const after = await seen({ ...clean, constants });
    expect(before.layers.map(({ name, kind }) => [name, kind])).toEqual([
      ['stem', 'convolution'],
      ['dw1', 'depthwise'],
      ['pw1', 'pointwise'],
      ['up', 'pointwise'],
      ['dw2', 'depthwise'],
      ['down', 'pointwise'],
      ['sum', 'addition'],
      ['last', 'pointwise'],
      ['pool', 'other'],
      ['fc', 'dense'],
    ]);
    const [good, bad] = [layerOf(before, 'dw1').weights!, layerOf(after, 'dw1').weights!];
    expect(good.perTensor.lostChannels).toBe(0);
    expect(good.perTensor.medianChannelDb).toBeGreaterThan(35);
    // Seven of eight channels lie within 1/1000 of the range.
    expect(bad.channelPrecision).toBeCloseTo(1 / 8, 2);
    expect(bad.perTensor.lostChannels).toBe(7);
    expect(bad.perTensor.medianChannelDb).toBeCloseTo(0, 6);
    expect(bad.perChannel.medianChannelDb).toBeCloseTo(good.perChannel.medianChannelDb!, 6);
    expect(bad.noisePercent!.perTensor).toBeGreaterThan(90);
    expect(good.noisePercent!.perTensor).toBeLessThan(50);
    const codes = findingsOf(after).map(({ code, layers }) => [code, layers[0]]);
    expect(codes).toContainEqual(['weights-lost-per-tensor', 'dw1']);
    expect(findingsOf(before).map(({ code }) => code)).not.toContain('weights-lost-per-tensor');
  });

  test('shares of the noise add up to all of it', async () => {
    const { layers } = await seen(separableNet(6));
    for (const granularity of ['perTensor', 'perChannel'] as const) {
      const made = layers.flatMap(({ weights, activations }) => [
        weights?.noisePercent![granularity] ?? 0,
        activations!.noisePercent![granularity],
      ]);
      const total = made.reduce((a, b) => a + b, 0);
      // The input's own share is not a layer's.
      expect(total).toBeLessThanOrEqual(100 + 1e-9);
      expect(total).toBeGreaterThan(80);
    }
  });

  test('the layer that the model blames is the one whose rounding hurts', async () => {
    const builder = new GraphBuilder([1, 3, 8, 8], 9);
    const first = builder.conv('first', 'x', { outputs: 8, kernel: 3 });
    const wild = builder.conv('wild', first, { outputs: 8, spread: 1.5 });
    const graph = builder.graph(builder.conv('tame', wild, { outputs: 4 }));
    const { layers } = await seen(graph);
    const modelled = new Map(layers.map((one) => [one.name, one.weights!.noisePercent!.perTensor]));
    const measured = await Promise.all(
      ['first', 'wild', 'tame'].map(async (name) => [name, await damageOf(graph, name)] as const),
    );
    const most = <Key>(entries: Iterable<readonly [Key, number]>): Key =>
      [...entries].reduce((a, b) => (b[1] > a[1] ? b : a))[0];
    expect(most(modelled)).toBe(most(measured));
  });

  test('without images: weights alone', () => {
    const graph = separableNet(5);
    const { layers, kinds } = distributionsOf(untilScores(graph));
    expect(layers.every(({ activations }) => activations === undefined)).toBe(true);
    expect(kinds.map(({ kind }) => kind)).toEqual([
      'convolution',
      'depthwise',
      'pointwise',
      'dense',
    ]);
  });

  test('activations: clamped share, dead channels, change of range', async () => {
    const builder = new GraphBuilder([1, 2, 4, 4], 2);
    const clamp = { lo: Float32Array.of(0), hi: Float32Array.of(0.5) };
    const output = builder.conv('only', 'x', { outputs: 2, clamp });
    builder.constant('only/w', [2, 2, 1, 1], Float32Array.of(1, 0, 0, 0));
    builder.constant('only/b', [2], Float32Array.of(0, -1));
    const graph = builder.graph(output);
    const { activations } = layerOf(await seen(graph, 40), 'only');
    expect(activations).toMatchObject({ min: 0, max: 0.5, constantChannels: 1 });
    expect(activations!.channelPrecision).toBe(0.5);
    // Uniform in [-1, 1): a quarter of one of two channels is over 0.5.
    expect(activations!.clampedPercent).toBeGreaterThan(9);
    expect(activations!.clampedPercent).toBeLessThan(16);
    expect(activations!.rangeChange).toBeCloseTo(0.25, 1);
  });
});

/** Squared error of the output when one layer's weights alone are rounded, per tensor. */
async function damageOf(graph: Graph, name: string): Promise<number> {
  const { quantGraph } = await quantizeGraph({
    graph,
    samples: randomSamples(graph, 6),
    constraints,
    weights: { bits: 8, perChannel: false },
    recipe: parseRecipe('{}', 'naive.json'),
    openFloatRunner,
  });
  const conv = quantGraph.nodes.find((node) => node.name === name)!;
  if (conv.op !== 'Conv') throw new Error('not a convolution');
  const weightName = `${name}/w`;
  const { shape } = graph.constants.get(weightName)!;
  const { scales, data, zeroPoints } = conv.weight;
  const rounded = Float32Array.from(data, (code) => (code - zeroPoints[0]!) * scales[0]!);
  const constants = new Map(graph.constants).set(weightName, {
    dtype: 'f32',
    shape,
    data: rounded,
  });
  const [exact, changed] = [
    await openFloatRunner(graph, []),
    await openFloatRunner({ ...graph, constants }, []),
  ];
  let sum = 0;
  for await (const { input } of randomSamples(graph, 6)) {
    const [a, b] = [await exact.run(input), await changed.run(input)];
    const output = graph.outputs[0]!.name;
    a.get(output)!.forEach((value, i) => (sum += (value - b.get(output)![i]!) ** 2));
  }
  await exact.close();
  await changed.close();
  return sum;
}
