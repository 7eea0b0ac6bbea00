// SPDX-License-Identifier: Apache-2.0
import { collect } from '../../../src/calibrate/collect.js';
import { openFloatRunner } from '../../../src/float/runner.js';
import type { Graph } from '../../../src/graph/graph.js';
import type { SampleSource } from '../../../src/graph/samples.js';
import { channelGroups } from '../../../src/quantize/equalize/channel-groups.js';
import { equalize, equalizeNeeds } from '../../../src/quantize/equalize/equalize.js';
import { noiseTerms } from '../../../src/quantize/equalize/noise-terms.js';
import { noiseModel } from '../../../src/quantize/noise/noise-model.js';
import { exposePreActivations } from '../../../src/quantize/network/pre-activations.js';
import { scaleChannels } from '../../../src/quantize/equalize/scale-channels.js';
import {
  GraphBuilder,
  randomNumbers,
  randomSamples,
  relu6,
  separableNet,
} from '../small-graphs.js';

const options = {
  iterations: 100,
  perChannelClamp: true,
  perChannelWeights: false,
  weightLevels: 255,
  activationLevels: () => 255,
  asymmetricWeights: false,
  asymmetricActivations: true,
};

async function outputsOf(graph: Graph, samples: SampleSource): Promise<Float32Array[]> {
  const runner = await openFloatRunner(graph);
  const outputs: Float32Array[] = [];
  for await (const { input } of samples) {
    outputs.push((await runner.run(input)).get(graph.outputs[0]!.name)!);
  }
  await runner.close();
  return outputs;
}

/** Largest difference as a share of the largest value. */
function difference(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  let largest = 0;
  let scale = 0;
  a.forEach((values, i) => {
    values.forEach((value, k) => {
      largest = Math.max(largest, Math.abs(value - b[i]![k]!));
      scale = Math.max(scale, Math.abs(value));
    });
  });
  return largest / scale;
}

describe('channelGroups', () => {
  it('joins a residual trunk and leaves input and output alone', () => {
    const groups = channelGroups(separableNet(1));
    expect(groups.map((group) => group.values)).toEqual([
      ['stem/y'],
      ['dw1/y'],
      ['pw1/y', 'down/y', 'sum/y'],
      ['up/y'],
      ['dw2/y'],
      ['last/y', 'pool/y'],
    ]);
    const trunk = groups[2]!;
    expect(trunk.writers.map(({ name }) => name)).toEqual(['pw1', 'down']);
    expect(trunk.readers.map(({ name }) => name)).toEqual(['up', 'last']);
  });

  it('ties what a gate multiplies to the product and leaves the gate alone', async () => {
    const builder = new GraphBuilder([1, 2, 6, 6], 4);
    const clamp = relu6();
    const a = builder.conv('a', 'x', { outputs: 5, kernel: 3, clamp, spread: 1, bias: 3 });
    const squeezed = builder.conv('squeeze', builder.globalPool('pool', a), { outputs: 3, clamp });
    const excited = builder.conv('excite', squeezed, { outputs: 5 });
    const gate = ['gate', [1, 5, 1, 1]] as const;
    builder.node(
      { op: 'Sigmoid', name: 'sigmoid', inputs: [excited], outputs: [gate[0]] },
      gate[1],
    );
    builder.node({ op: 'Mul', name: 'scale', inputs: [gate[0], a], outputs: ['s'] }, [1, 5, 6, 6]);
    const graph = builder.graph(builder.conv('b', 's', { outputs: 4 }));
    const groups = channelGroups(graph);
    expect(groups.map(({ values }) => values)).toEqual([['a/y', 'pool/y', 's'], ['squeeze/y']]);
    expect(groups[0]!.readers.map(({ name }) => name)).toEqual(['squeeze', 'b']);
    const random = randomNumbers(9);
    const factors = groups.map((group) => ({
      group,
      factors: Float64Array.from({ length: group.channels }, () => 10 ** random()),
    }));
    const samples = randomSamples(graph, 3);
    const scaled = await outputsOf(scaleChannels(graph, factors), samples);
    expect(difference(await outputsOf(graph, samples), scaled)).toBeLessThan(1e-5);
  });

  it('leaves two values of one shape that are multiplied alone', () => {
    const builder = new GraphBuilder([1, 2, 4, 4]);
    const a = builder.conv('a', 'x', { outputs: 3 });
    const b = builder.conv('b', 'x', { outputs: 3 });
    builder.node({ op: 'Mul', name: 'square', inputs: [a, b], outputs: ['p'] }, [1, 3, 4, 4]);
    expect(channelGroups(builder.graph(builder.conv('c', 'p', { outputs: 2 })))).toEqual([]);
  });

  it('keeps the scale of what a function without scaling reads', () => {
    const builder = new GraphBuilder([1, 2, 4, 4]);
    const y = builder.conv('a', 'x', { outputs: 3 });
    builder.node(
      { op: 'HardSwish', name: 'swish', inputs: [y], outputs: ['s'], alpha: 1 / 6, beta: 0.5 },
      [1, 3, 4, 4],
    );
    expect(channelGroups(builder.graph(builder.conv('b', 's', { outputs: 2 })))).toEqual([]);
  });
});

describe('scaleChannels', () => {
  it.each([1, 2, 3, 4])('keeps the function of net %d under any factors', async (seed) => {
    const graph = separableNet(seed);
    const random = randomNumbers(seed + 100);
    const groups = channelGroups(graph).map((group) => ({
      group,
      factors: Float64Array.from({ length: group.channels }, () => 10 ** random()),
    }));
    const scaled = scaleChannels(graph, groups);
    const samples = randomSamples(graph, 3);
    const expected = await outputsOf(graph, samples);
    expect(difference(expected, await outputsOf(scaled, samples))).toBeLessThan(1e-5);
    // The clamps do clamp, or this would show nothing about them.
    const unclamped = {
      ...graph,
      nodes: graph.nodes.map((node) =>
        node.op === 'Conv' && node.clamp !== undefined
          ? { ...node, clamp: { lo: node.clamp.lo, hi: Float32Array.of(Infinity) } }
          : node,
      ),
    };
    expect(difference(expected, await outputsOf(unclamped, samples))).toBeGreaterThan(1e-3);
  });
});

describe('equalize', () => {
  it.each([true, false])('lowers the noise; clamp per channel: %s', async (perChannelClamp) => {
    const graph = separableNet(5);
    const samples = randomSamples(graph, 8);
    const needs = equalizeNeeds(graph, perChannelClamp);
    const tapped = perChannelClamp ? graph : exposePreActivations(graph);
    const statistics = await collect(tapped, samples, openFloatRunner, needs);
    const result = equalize(graph, statistics, { ...options, perChannelClamp });
    expect(result.noiseRatio).toBeLessThan(0.7);
    const change = difference(
      await outputsOf(graph, samples),
      await outputsOf(result.graph, samples),
    );
    if (perChannelClamp) {
      expect(change).toBeLessThan(1e-4);
    } else {
      // The clamps are as they were, and stay nearly right.
      expect(change).toBeLessThan(0.1);
      for (const node of result.graph.nodes) {
        if (node.op === 'Conv' && node.clamp !== undefined) expect(node.clamp).toEqual(relu6());
      }
    }
  });

  it('leaves the bounds of an addition alone, where clamps per channel are on convolutions only', async () => {
    const net = new GraphBuilder([1, 3, 4, 4], 7);
    const [a, b] = [
      net.conv('a', 'x', { outputs: 4, spread: 1.5 }),
      net.conv('b', 'x', { outputs: 4, spread: 1.5 }),
    ];
    const sum = { op: 'Add', name: 's', inputs: [a, b], outputs: ['s/y'] } as const;
    const bounded = net.node({ ...sum, clamp: relu6() }, [1, 4, 4, 4]);
    const graph = net.graph(net.conv('c', bounded, { outputs: 2, spread: 1 }));
    const samples = randomSamples(graph, 8);
    const statistics = await collect(graph, samples, openFloatRunner, equalizeNeeds(graph, true));
    const result = equalize(graph, statistics, { ...options, perChannelClamp: true });
    expect(result.graph.nodes.find(({ op }) => op === 'Add')).toMatchObject({ clamp: relu6() });
  });

  it('brings channels of very different size closer', async () => {
    // Channel 0 is 100 times larger in the first layer and smaller in the second; channel 1 matters
    // more at the output, so it ends a little above the balance.
    const builder = new GraphBuilder([1, 1, 2, 2]);
    builder.constant('w1', [2, 1, 1, 1], Float32Array.of(1, 0.01));
    builder.constant('w2', [2, 2, 1, 1], Float32Array.of(0.01, 1, 0.01, -1));
    const conv = (name: string, input: string, weight: string) =>
      builder.node(
        {
          op: 'Conv',
          name,
          inputs: [input, weight, ''],
          outputs: [`${name}/y`],
          kernel: [1, 1],
          strides: [1, 1],
          pads: [0, 0, 0, 0],
          dilations: [1, 1],
          group: 1,
        },
        [1, 2, 2, 2],
      );
    const graph = builder.graph(conv('b', conv('a', 'x', 'w1'), 'w2'));
    const samples = randomSamples(graph, 4);
    const needs = equalizeNeeds(graph, true);
    const statistics = await collect(graph, samples, openFloatRunner, needs);
    const { graph: equalized } = equalize(graph, statistics, { ...options, iterations: 300 });
    const [first, second] = equalized.constants.get('a/weight')!.data;
    expect(Math.abs(first! / second!)).toBeLessThan(20);
    expect(Math.abs(first! / second!)).toBeGreaterThan(1 / 20);
  });

  it('counts on a channel behind a ReLU to go as far as its clamp where few images have used it', async () => {
    const builder = new GraphBuilder([1, 2, 1, 1]);
    builder.constant('identity', [2, 2, 1, 1], Float32Array.of(1, 0, 0, 1));
    const conv = (name: string, input: string, clamp: object) =>
      builder.node(
        {
          ...{ op: 'Conv', name, inputs: [input, 'identity', ''], outputs: [`${name}/y`] },
          ...{ kernel: [1, 1], strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1], group: 1 },
          ...clamp,
        } as const,
        [1, 2, 1, 1],
      );
    const graph = builder.graph(conv('sum', conv('rare', 'x', { clamp: relu6() }), {}));
    // Channel 0 has 5 in every image, channel 1 has 0.1 in one of 16.
    const samples: SampleSource = {
      count: 16,
      async *[Symbol.asyncIterator]() {
        await Promise.resolve();
        for (let i = 0; i < 16; i++)
          yield { name: `${i}`, input: Float32Array.of(5, i === 7 ? 0.1 : 0) };
      },
    };
    const statistics = await collect(graph, samples, openFloatRunner, equalizeNeeds(graph, true));
    const { values } = noiseModel(graph, statistics, statistics.active);
    const maxOf = (name: string) => [...values.find(({ value }) => value === name)!.max];
    // No further than the tensor goes; a sum without a ReLU counts as seen.
    expect(maxOf('rare/y')).toEqual([5, 5]);
    expect(maxOf('sum/y')).toEqual([5, Math.fround(0.1)]);
  });

  it.each([
    [true, false],
    [true, true],
    [false, false],
    [false, true],
  ])('the noise has the gradient it says; per channel %s, asymmetric %s', async (rows, both) => {
    const graph = separableNet(7);
    const samples = randomSamples(graph, 4);
    const statistics = await collect(graph, samples, openFloatRunner, equalizeNeeds(graph, true));
    const groups = channelGroups(graph);
    const how = { ...options, perChannelWeights: rows, asymmetricWeights: both && !rows };
    const model = noiseModel(graph, statistics, statistics.active);
    const random = randomNumbers(11);
    const logs = groups.map(({ channels }) =>
      Float64Array.from({ length: channels }, () => random() / 2),
    );
    const noiseAt = (gradient = groups.map(({ channels }) => new Float64Array(channels))) =>
      // Terms of their own each time, so that none remembers which pairs were large elsewhere.
      noiseTerms(model, groups, { ...how, asymmetricActivations: both }).reduce(
        (sum, term) => sum + term(logs, gradient),
        0,
      );
    const gradient = groups.map(({ channels }) => new Float64Array(channels));
    const total = noiseAt(gradient);
    const change = 1e-4;
    for (const [g, own] of logs.entries()) {
      for (let c = 0; c < own.length; c++) {
        own[c]! += change;
        const above = noiseAt();
        own[c]! -= 2 * change;
        const below = noiseAt();
        own[c]! += change;
        const slope = (above - below) / (2 * change);
        expect(Math.abs(gradient[g]![c]! - slope)).toBeLessThan(1e-5 * total);
      }
    }
    // Channels differ, or a mistake of place would not show.
    const slopes = gradient.flatMap((part) => [...part]);
    expect(slopes.some((slope) => Math.abs(slope) > 1e-2 * total)).toBe(true);
  });

  it('keeps to the noise of the definition, per channel', async () => {
    // One pair dominates each row, so the norm of a high order is its maximum.
    const builder = new GraphBuilder([1, 2, 2, 2]);
    builder.constant('w1', [2, 2, 1, 1], Float32Array.of(1, 0.1, 0.1, 0.5));
    builder.constant('w2', [1, 2, 1, 1], Float32Array.of(0.2, 2));
    const conv = (name: string, input: string, weight: string, outputs: number) =>
      builder.node(
        {
          ...{ op: 'Conv', name, inputs: [input, weight, ''], outputs: [`${name}/y`] },
          ...{ kernel: [1, 1], strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1], group: 1 },
        } as const,
        [1, outputs, 2, 2],
      );
    const graph = builder.graph(conv('b', conv('a', 'x', 'w1', 2), 'w2', 1));
    const samples = randomSamples(graph, 4);
    const statistics = await collect(graph, samples, openFloatRunner, equalizeNeeds(graph, true));
    const groups = channelGroups(graph);
    const model = noiseModel(graph, statistics, statistics.active);
    const how = { ...options, perChannelWeights: true };
    const last = model.layers.findIndex((layer) => layer.conv.name === 'b');
    const [log0, log1] = [0.3, -0.2];
    const logs = [Float64Array.of(log0, log1)];
    expect(groups).toHaveLength(1);
    const got = noiseTerms(model, groups, how)[last]!(logs, [new Float64Array(2)]);
    // The second layer's weights are divided by the factors, its inputs' power is multiplied.
    const step = (2 * Math.max(0.2 / Math.exp(log0), 2 / Math.exp(log1))) / 255;
    const { power, cost } = model.layers[last]!;
    const spread = power[0]! * Math.exp(2 * log0) + power[1]! * Math.exp(2 * log1);
    expect(got / (((step * step) / 12) * cost[0]! * spread)).toBeCloseTo(1, 3);
  });

  it('is deterministic', async () => {
    const graph = separableNet(6);
    const samples = randomSamples(graph, 4);
    const needs = equalizeNeeds(graph, true);
    const once = equalize(graph, await collect(graph, samples, openFloatRunner, needs), options);
    const twice = equalize(graph, await collect(graph, samples, openFloatRunner, needs), options);
    expect(once.graph.constants).toEqual(twice.graph.constants);
  });
});
