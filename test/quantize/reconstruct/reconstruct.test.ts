// SPDX-License-Identifier: Apache-2.0
import { spreadPositions } from '../../../src/calibrate/gram.js';
import { nativeSolver } from '../../../src/engine/solver.js';
import { openFloatRunner } from '../../../src/float/runner.js';
import type { Graph } from '../../../src/graph/graph.js';
import type { QuantGraph } from '../../../src/graph/quant-graph.js';
import { convolutionsOf } from '../../../src/quantize/network/connections.js';
import {
  exposePreActivations,
  preActivationOf,
} from '../../../src/quantize/network/pre-activations.js';
import type { SampleSource } from '../../../src/graph/samples.js';
import { imageMeans } from '../../../src/quantize/means/image-means.js';
import { quantizeGraph, type QuantizeResult } from '../../../src/quantize/quantize.js';
import { recipeSchema } from '../../../src/quantize/recipe.js';
import { cutValues, segment } from '../../../src/quantize/reconstruct/segments.js';
import { accumulatorOf, realInputOf, simulate } from '../../../src/quantize/choices/simulate.js';
import type { TargetConstraints } from '../../../src/targets/target.js';
import type { WeightChoice } from '../../../src/quantize/codes/weights.js';
import { constraints, GraphBuilder, randomSamples, separableNet } from '../small-graphs.js';

const everyBit = { ...constraints, weightBits: [8, 7, 6, 5, 4, 3, 2] };

function quantize(
  graph: Graph,
  options: {
    readonly reconstruct?: object | false;
    readonly weights?: WeightChoice;
    readonly constraints?: TargetConstraints;
    readonly threads?: number;
  } = {},
): Promise<QuantizeResult> {
  const { reconstruct = {}, threads = 1 } = options;
  return quantizeGraph({
    graph,
    samples: randomSamples(graph, 12),
    constraints: options.constraints ?? everyBit,
    recipe: recipeSchema.parse({ reconstruct, correctBias: 'iterated' }),
    openFloatRunner: (part, taps) => openFloatRunner(part, taps),
    solver: nativeSolver(threads),
    ...(options.weights === undefined ? {} : { weights: options.weights }),
  });
}

/** Variance of the output's error on images that were not used. */
async function errorOf(graph: Graph, quantGraph: QuantGraph): Promise<number> {
  const [output] = quantGraph.outputs;
  const { scale } = quantGraph.values.get(output!)!;
  const float = await openFloatRunner(graph);
  const integer = await openFloatRunner(simulate(quantGraph));
  let sum = 0;
  for await (const { input } of randomSamples(graph, 20, 99)) {
    const expected = (await float.run(input)).get(output!)!;
    const got = (await integer.run(input)).get(output!)!;
    expected.forEach((value, i) => {
      sum += (value - scale * got[i]!) ** 2;
    });
  }
  await float.close();
  await integer.close();
  return sum;
}

/** The second layer reads 48 channels that are mixtures of 6: rounding errors can cancel. */
function redundantNet(): Graph {
  const builder = new GraphBuilder([1, 6, 8, 8], 3);
  const first = builder.conv('first', 'x', { outputs: 48 });
  return builder.graph(builder.conv('second', first, { outputs: 24 }));
}

const net = separableNet(5, 0.3);

describe.each([
  ['per channel', constraints, { perChannel: true }],
  ['per tensor', constraints, { perChannel: false }],
  [
    'asymmetric',
    { ...constraints, weights: ['u8'], weightZeroPoint: true, perChannelWeights: false },
    {},
  ],
  [
    'power of two',
    { ...constraints, scales: 'powerOfTwo', activationZeroPoint: false, narrowWeights: false },
    {},
  ],
] as const)('%s', (_, base, choice) => {
  const target: TargetConstraints = { ...base, weightBits: [8, 4, 3, 2] };

  test.each([8, 4, 3, 2])('%i bits: within limits, finite, reported', async (bits) => {
    const weights = { ...choice, bits };
    const { quantGraph, steps } = await quantize(net, { weights, constraints: target });
    expect(steps.map((step) => step.name)).toContain('reconstruct');
    for (const node of quantGraph.nodes) {
      if (node.op !== 'Conv') continue;
      const { data, scales, zeroPoints } = node.weight;
      const codes = [...data];
      const [least, greatest] =
        node.weight.dtype === 'u8'
          ? [0, 2 ** bits - 1]
          : [-(2 ** (bits - 1)) + (target.narrowWeights ? 1 : 0), 2 ** (bits - 1) - 1];
      expect(Math.min(...codes)).toBeGreaterThanOrEqual(least);
      expect(Math.max(...codes)).toBeLessThanOrEqual(greatest);
      expect([...scales].every((scale) => scale > 0 && Number.isFinite(scale))).toBe(true);
      if (target.scales === 'powerOfTwo')
        expect([...scales].every((scale) => Number.isInteger(Math.log2(scale)))).toBe(true);
      expect([...zeroPoints].every((zero) => zero >= least && zero <= greatest)).toBe(true);
    }
  });

  test('4 bits: a smaller error than rounding to nearest on other images', async () => {
    const graph = redundantNet();
    const weights = { ...choice, bits: 4 };
    const plain = await quantize(graph, { reconstruct: false, weights, constraints: target });
    const searched = await quantize(graph, { weights, constraints: target });
    const before = await errorOf(graph, plain.quantGraph);
    expect(await errorOf(graph, searched.quantGraph)).toBeLessThan(before * 0.7);
  });
});

/** By layer and channel, how far each image's mean is from the float network's before the clamp. */
async function drifts(graph: Graph, quantGraph: QuantGraph, samples: SampleSource) {
  const layers = convolutionsOf(graph);
  const wanted = await imageMeans(
    exposePreActivations(graph),
    layers.map(preActivationOf),
    samples,
    openFloatRunner,
  );
  const sums = layers.map(({ name }) => accumulatorOf(name));
  const means = await imageMeans(simulate(quantGraph), sums, samples, openFloatRunner);
  return layers.map((conv) => {
    const node = quantGraph.nodes.find(({ name }) => name === conv.name)!;
    if (node.op !== 'Conv') throw new Error('expected a convolution');
    const scaleOf = (value: string): number => quantGraph.values.get(value)!.scale;
    const expected = wanted.get(preActivationOf(conv))!;
    const got = means.get(accumulatorOf(conv.name))!;
    return [...expected[0]!.keys()].map((c) => ({
      images: got.map((image, i) => image[c]! * scaleOf(node.output) - expected[i]![c]!),
      biasStep: scaleOf(node.inputs[0]!) * node.weight.scales[c]!,
    }));
  });
}

const meanOf = (values: readonly number[]): number =>
  values.reduce((a, b) => a + b, 0) / values.length;

test('biases give every channel the float mean as far as images agree, in all kinds of layers', async () => {
  const recipe = recipeSchema.parse({ reconstruct: { positions: 1e6 } });
  const samples = randomSamples(net, 12);
  const { quantGraph } = await quantizeGraph({
    ...{ graph: net, samples, constraints: everyBit, recipe, openFloatRunner },
    solver: nativeSolver(),
    weights: { bits: 4 },
  });
  for (const { images, biasStep } of (await drifts(net, quantGraph, samples)).flat()) {
    const mean = meanOf(images);
    const squares = images.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    const standardError = Math.sqrt(squares / (images.length * (images.length - 1)));
    expect(Math.abs(mean)).toBeLessThan(3 * standardError + biasStep);
  }
});

test('an image that is clipped does not move the biases of the others', async () => {
  const builder = new GraphBuilder([1, 3, 8, 8], 3);
  const first = builder.conv('first', 'x', { outputs: 16 });
  const graph = builder.graph(builder.conv('second', first, { outputs: 8 }));
  const ordinary = randomSamples(graph, 24);
  const outlier = randomSamples(graph, 1, 8);
  const samples: SampleSource = {
    count: 25,
    async *[Symbol.asyncIterator]() {
      yield* ordinary;
      for await (const { name, input } of outlier) yield { name, input: input.map((x) => 40 * x) };
    },
  };
  // Keeps the values of the ordinary images, a twenty-fifth of them beside.
  const activations = { method: 'percentile', percentile: 97 };
  const { quantGraph } = await quantizeGraph({
    ...{ graph, samples, constraints, openFloatRunner, solver: nativeSolver() },
    recipe: recipeSchema.parse({ reconstruct: { positions: 1e6 }, activations }),
  });
  for (const channels of await drifts(graph, quantGraph, samples)) {
    const sumOf = (of: (images: readonly number[]) => number): number =>
      channels.reduce((sum, { images }) => sum + Math.abs(of(images)), 0);
    // What the biases of the others would take on if the mean of all images decided.
    const share = sumOf((images) => images.at(-1)! / images.length);
    expect(sumOf((images) => meanOf(images.slice(0, -1)))).toBeLessThan(0.1 * share);
  }
});

test('the same integers again, and with any number of threads', async () => {
  const weights = { bits: 4 };
  const [one, again, many] = await Promise.all(
    [1, 1, 3].map((threads) => quantize(net, { weights, threads })),
  );
  expect(again!.quantGraph).toEqual(one!.quantGraph);
  expect(many!.quantGraph).toEqual(one!.quantGraph);
});

test('a layer of zeros and a channel without input survive', async () => {
  const builder = new GraphBuilder([1, 3, 6, 6], 4);
  const first = builder.conv('first', 'x', { outputs: 5, kernel: 3 });
  const zero = builder.conv('zero', first, { outputs: 5, spread: 0, bias: 0 });
  builder.constant('zero/w', [5, 5, 1, 1], new Float32Array(25));
  builder.constant('zero/b', [5], new Float32Array(5));
  const graph = builder.graph(builder.conv('last', zero, { outputs: 4 }));
  const { quantGraph } = await quantize(graph);
  for (const node of quantGraph.nodes) {
    if (node.op !== 'Conv') continue;
    expect([...node.bias!].every(Number.isFinite)).toBe(true);
    expect([...node.weight.scales].every((scale) => scale > 0)).toBe(true);
  }
});

test('without a solver the recipe is refused', async () => {
  const options = {
    graph: net,
    samples: randomSamples(net, 8),
    constraints,
    recipe: recipeSchema.parse({ reconstruct: {} }),
    openFloatRunner: (part: Graph, taps: readonly string[]) => openFloatRunner(part, taps),
  };
  await expect(quantizeGraph(options)).rejects.toThrow(/reconstruct/);
});

describe('segments', () => {
  test('cuts are the values through which everything flows', () => {
    const cuts = cutValues(net);
    // pw1 is read again by the sum, so nothing between them is a cut.
    expect(cuts).toEqual(['x', 'stem/y', 'dw1/y', 'pw1/y', 'sum/y', 'last/y', 'pool/y', 'fc/y']);
  });

  test('a segment computes the same from its input', async () => {
    const [input] = net.inputs;
    const size = input!.shape.reduce((a, b) => a * b, 1);
    const image = Float32Array.from({ length: size }, (_, i) => Math.sin(i));
    const whole = await openFloatRunner(net, ['pw1/y', 'dw2/y']);
    const values = await whole.run(image);
    const part = await openFloatRunner(segment(net, 'pw1/y', ['dw2/y', 'fc/y']), []);
    const rest = await part.run(values.get('pw1/y')!);
    expect(rest.get('dw2/y')).toEqual(values.get('dw2/y'));
    expect(rest.get('fc/y')).toEqual(values.get('fc/y'));
  });

  test('of a simulated network too', async () => {
    const { quantGraph } = await quantize(net, { reconstruct: false });
    const simulated = simulate(quantGraph);
    const part = segment(simulated, realInputOf('x'), ['dw1/y']);
    expect(part.outputs.map((output) => output.name)).toEqual(['dw1/y']);
    expect(part.nodes.length).toBeLessThan(simulated.nodes.length);
  });
});

test('positions are spread evenly, and differ from image to image', () => {
  expect([...spreadPositions(5, 9, 3)]).toEqual([0, 1, 2, 3, 4]);
  const [a, b] = [spreadPositions(196, 20, 1), spreadPositions(196, 20, 2)];
  expect(new Set(a).size).toBe(20);
  expect([...a]).not.toEqual([...b]);
  expect(Math.max(...a)).toBeLessThan(196);
});
