// SPDX-License-Identifier: Apache-2.0
import { collect } from '../../../src/calibrate/collect.js';
import {
  convResponse,
  derive,
  distributionFrom,
  requireNormalizations,
} from '../../../src/calibrate/data-free/index.js';
import { channelDistributions } from '../../../src/calibrate/data-free/distributions.js';
import { channelMeans } from '../../../src/calibrate/data-free/means.js';
import { openFloatRunner } from '../../../src/float/runner.js';
import type { Graph } from '../../../src/graph/graph.js';
import { weightOf } from '../../../src/quantize/network/connections.js';
import { exposePreActivations } from '../../../src/quantize/network/pre-activations.js';
import {
  GraphBuilder,
  randomNumbers,
  randomSamples,
  separableNet,
} from '../../quantize/small-graphs.js';
import { noise, withNormalizations } from './normalized-net.js';
import { draws, momentsOfValues } from './draws.js';

describe('the response of a convolution', () => {
  it.each([
    ['strided, same padding', { kernel: 3, stride: 2 }],
    ['depthwise', { kernel: 3, depthwise: true }],
    ['1x1', { kernel: 1 }],
  ])('to means is its mean output on images that are constant: %s', async (_, options) => {
    const builder = new GraphBuilder([1, 4, 7, 6]);
    const graph = builder.graph(builder.conv('a', 'x', { outputs: 4, bias: 0, ...options }));
    const conv = graph.nodes[0]!;
    if (conv.op !== 'Conv') throw new Error('expected a convolution');
    const means = Float64Array.of(1, -2, 0.5, 3);
    const shapes = [graph.shapes.get('x')!, graph.shapes.get('a/y')!] as const;
    const response = convResponse(conv, weightOf(graph, conv), ...shapes);
    const runner = await openFloatRunner(graph);
    const image = Float32Array.from({ length: 4 * 42 }, (_, i) => means[Math.floor(i / 42)]!);
    const output = (await runner.run(image)).get('a/y')!;
    await runner.close();
    const area = output.length / 4;
    response.mean(means).forEach((value, c) => {
      const own = Float64Array.from(output.subarray(c * area, (c + 1) * area));
      expect(value).toBeCloseTo(momentsOfValues(own).mean, 5);
    });
    // <A x, y> = <x, A' y>
    const y = Float64Array.of(2, 1, -1, 4);
    const dot = (a: Float64Array, b: Float64Array) => a.reduce((s, v, i) => s + v * b[i]!, 0);
    expect(dot(response.mean(means), y)).toBeCloseTo(dot(means, response.adjoint(y)), 9);
  });
});

describe('distributions', () => {
  it('of sums and 1x1 convolutions of independent channels are those of draws', () => {
    const builder = new GraphBuilder([1, 3, 1, 1]);
    const a = builder.conv('a', 'x', { outputs: 2 });
    const b = builder.conv('b', 'x', { outputs: 2 });
    const graph = builder.graph(builder.add('sum', a, b));
    const input = distributionFrom(3, (c) => ({ mean: c - 1, std: 1 + c, lo: -1, hi: 4 }));
    const distribution = channelDistributions(graph, input).get(a)!;
    const columns = [0, 1, 2].map((c) =>
      draws({ mean: c - 1, std: 1 + c, lo: -1, hi: 4 }, 50_000, c),
    );
    const weight = graph.constants.get('a/w')!.data;
    const bias = graph.constants.get('a/b')!.data;
    for (const o of [0, 1]) {
      const drawn = momentsOfValues(
        columns[0]!.map((_, i) =>
          [0, 1, 2].reduce((s, c) => s + weight[3 * o + c]! * columns[c]![i]!, bias[o]!),
        ),
      );
      expect(distribution.mean[o]).toBeCloseTo(drawn.mean, 1);
      expect(distribution.std[o]! ** 2 / drawn.variance).toBeCloseTo(1, 1);
    }
    const sum = channelDistributions(graph, input).get('sum/y')!;
    const other = channelDistributions(graph, input).get(b)!;
    expect(sum.mean[1]).toBeCloseTo(distribution.mean[1]! + other.mean[1]!, 9);
    expect(sum.std[1]! ** 2).toBeCloseTo(distribution.std[1]! ** 2 + other.std[1]! ** 2, 9);
  });

  it('say at which operator they end', () => {
    const builder = new GraphBuilder([1, 2, 2, 2]);
    builder.constant('k', [1, 2, 2, 2], new Float32Array(8));
    builder.node({ op: 'Sub', name: 'minus', inputs: ['x', 'k'], outputs: ['y'] }, [1, 2, 2, 2]);
    const input = distributionFrom(2, () => ({ mean: 0, std: 1, lo: -1, hi: 1 }));
    expect(() => channelDistributions(builder.graph('y'), input)).toThrow(
      /\[data-free\] node "minus": .*--calib/,
    );
  });
});

test('means are found where batch norms behind tell them, against a wrong distribution', () => {
  const builder = new GraphBuilder([1, 6, 5, 5]);
  const dw = builder.conv('dw', 'x', { outputs: 6, kernel: 1, depthwise: true });
  const graph = builder.graph(builder.conv('pw', dw, { outputs: 9 }));
  const random = randomNumbers(5);
  const real = Float64Array.from({ length: 6 }, () => random());
  const [conv] = graph.nodes.filter((node) => node.name === 'pw');
  if (conv?.op !== 'Conv') throw new Error('expected a convolution');
  const shape = graph.shapes.get(dw)!;
  const response = convResponse(conv, weightOf(graph, conv), shape, shape);
  const bias = graph.constants.get('pw/b')!.data;
  const of = (values: readonly number[]) => Float32Array.from(values);
  const norm = {
    mean: response.mean(real).map((value, c) => value + bias[c]!),
    std: new Float32Array(9).fill(0.5),
    alpha: new Float32Array(9).fill(1),
    variance: new Float32Array(9).fill(1),
  };
  const normalized: Graph = {
    ...graph,
    normalizations: new Map([
      ['pw', { ...norm, mean: of([...norm.mean]) }],
      [
        'dw',
        { ...norm, mean: of([...real].map((m) => m + 0.3)), std: new Float32Array(6).fill(1) },
      ],
    ]),
  };
  const input = distributionFrom(6, () => ({ mean: 0, std: 1, lo: -1, hi: 1 }));
  const means = channelMeans(normalized, channelDistributions(normalized, input)).get(dw)!;
  means.forEach((mean, c) => {
    expect(Math.abs(mean - real[c]!)).toBeLessThan(0.03);
  });
});

test('derived statistics are near those of images', async () => {
  const bare = separableNet(3, 0.5);
  const graph = await withNormalizations(bare, randomSamples(bare, 64, 1));
  const values = graph.nodes.flatMap((node) => node.outputs);
  const clamped = graph.nodes.flatMap((node) => ('clamp' in node ? node.outputs : []));
  const tail = new Map([['up/pre-activation', Float32Array.of(6)]]);
  const needs = { histogram: values, moments: values, channelRange: values, active: clamped, tail };
  const exposed = exposePreActivations(graph);
  const seen = await collect(exposed, randomSamples(bare, 64, 2), openFloatRunner, needs);
  const derived = derive(exposed, noise(3), needs);
  expect(derived.images).toBe(0);
  for (const value of clamped) {
    const [a, b] = [derived.moments.get(value)!, seen.moments.get(value)!];
    const size = Math.sqrt(b.variance.reduce((x, y) => x + y, 0) / b.variance.length);
    a.mean.forEach((mean, c) => {
      expect(Math.abs(mean - b.mean[c]!)).toBeLessThan(0.35 * size);
    });
    derived.active.get(value)!.forEach((share, c) => {
      expect(Math.abs(share - seen.active.get(value)![c]!)).toBeLessThan(0.25);
    });
    expect(derived.channelRange.get(value)!.max).toHaveLength(a.mean.length);
    const { max } = derived.histogram.get(value)!;
    expect(max).toBeGreaterThan(0.7 * seen.histogram.get(value)!.max);
  }
  const name = 'up/pre-activation';
  derived.tail.get(name)!.shares.forEach((shares, c) => {
    const own = seen.tail.get(name)!.shares[c]!;
    const near = (list: Float64Array) => list.subarray(16).reduce((a, b) => a + b, 0);
    expect(Math.abs(near(shares) - near(own))).toBeLessThan(0.2);
  });
});

describe('a network without batch norms', () => {
  it('is refused with a way out', () => {
    expect(() => requireNormalizations(separableNet(1))).toThrow(
      /\[no-batch-norms\].* 0 of 8 convolutions .*--calib/,
    );
  });

  it('may lack some', async () => {
    const bare = separableNet(1);
    const graph = await withNormalizations(bare, randomSamples(bare, 4));
    const fewer = new Map([...graph.normalizations].slice(0, 5));
    expect(requireNormalizations({ ...graph, normalizations: fewer })).toHaveLength(3);
  });
});
