// SPDX-License-Identifier: Apache-2.0
import { openFloatRunner } from '../../../src/float/runner.js';
import type { QuantGraph } from '../../../src/graph/quant-graph.js';
import { convolutionsOf, withParameters } from '../../../src/quantize/network/connections.js';
import {
  exposePreActivations,
  preActivationOf,
} from '../../../src/quantize/network/pre-activations.js';
import { quantizeGraph } from '../../../src/quantize/quantize.js';
import { parseRecipe } from '../../../src/quantize/recipe.js';
import { accumulatorOf, simulate } from '../../../src/quantize/choices/simulate.js';
import { channelMeans } from '../../../src/quantize/means/image-means.js';
import { dequantizeWeights } from '../../../src/quantize/codes/weights.js';
import { constraints, GraphBuilder, randomSamples, separableNet } from '../small-graphs.js';

type Method = 'none' | 'analytic' | 'iterated';

const net = separableNet(3, 0.5);
const samples = randomSamples(net, 24);

/** Coarse weights move the means of what layers compute. */
async function quantized(correctBias: Method, graph = net): Promise<QuantGraph> {
  const { quantGraph } = await quantizeGraph({
    graph,
    samples,
    constraints,
    weights: { bits: 4, perChannel: false },
    recipe: parseRecipe(JSON.stringify({ correctBias }), 'r.json'),
    openFloatRunner,
  });
  return quantGraph;
}

/** Squared distances of the layers' channel means to the float network's, before clamps, by layer. */
async function meanErrors(quantGraph: QuantGraph, graph = net): Promise<Map<string, number>> {
  const convs = convolutionsOf(graph);
  const exposed = exposePreActivations(graph);
  const expected = await channelMeans(
    exposed,
    convs.map(preActivationOf),
    samples,
    openFloatRunner,
  );
  const taps = convs.map(({ name }) => accumulatorOf(name));
  const means = await channelMeans(simulate(quantGraph), taps, samples, openFloatRunner);
  return new Map(
    convs.map((conv) => {
      const { scale } = quantGraph.values.get(conv.outputs[0]!)!;
      const own = means.get(accumulatorOf(conv.name))!;
      const wanted = expected.get(preActivationOf(conv))!;
      return [conv.name, own.reduce((sum, m, c) => sum + (m * scale - wanted[c]!) ** 2, 0)];
    }),
  );
}

const total = (errors: Map<string, number>): number =>
  [...errors.values()].reduce((a, b) => a + b, 0);

test('iterated correction makes the means of the quantized network those of the float one', async () => {
  const [none, iterated] = [
    await meanErrors(await quantized('none')),
    await meanErrors(await quantized('iterated')),
  ];
  expect(total(iterated)).toBeLessThan(total(none) / 1000);
});

test('each pass counts with what earlier layers will do, through pools, too', async () => {
  // Three passes cannot hand a correction on through seven layers one by one.
  const builder = new GraphBuilder([1, 3, 8, 8], 8);
  let value = builder.conv('first', 'x', { outputs: 8 });
  for (let i = 0; i < 6; i++) {
    value = builder.conv(`c${i}`, builder.globalPool(`p${i}`, value), { outputs: 8 });
  }
  const graph = builder.graph(value);
  const none = total(await meanErrors(await quantized('none', graph), graph));
  const iterated = total(await meanErrors(await quantized('iterated', graph), graph));
  // 0.00026; without what comes from before 0.0015.
  expect(iterated).toBeLessThan(none / 1500);
});

test('analytic correction takes from each layer what its own weights add to the mean', async () => {
  const builder = new GraphBuilder([1, 3, 8, 8], 6);
  const graph = builder.graph(builder.conv('a', 'x', { outputs: 4, kernel: 3 }));
  const { nodes, values } = await quantized('analytic', graph);
  const conv = nodes[0]!;
  if (conv.op !== 'Conv') throw new Error('not a convolution');
  const step = values.get('x')!.scale * conv.weight.scales[0]!;
  const weight = dequantizeWeights(conv.weight);
  const meansWith = async (bias: Float32Array | undefined) => {
    const changes = new Map([['a', bias === undefined ? {} : { weight, bias }]]);
    const changed = withParameters(graph, changes);
    return (await channelMeans(changed, ['a/y'], samples, openFloatRunner)).get('a/y')!;
  };
  const expected = await meansWith(undefined);
  const corrected = await meansWith(Float32Array.from(conv.bias!, (code) => code * step));
  const before = graph.constants.get('a/b')!.data as Float32Array;
  const uncorrected = await meansWith(before);
  expected.forEach((mean, c) => {
    // Half a step of the integer bias.
    expect(Math.abs(corrected[c]! - mean)).toBeLessThanOrEqual(step / 2 + 1e-6);
  });
  expect(Math.max(...uncorrected.map((m, c) => Math.abs(m - expected[c]!)))).toBeGreaterThan(step);
});
