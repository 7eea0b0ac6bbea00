// SPDX-License-Identifier: Apache-2.0
import { openFloatRunner } from '../../../src/float/runner.js';
import type { Clamp, Graph } from '../../../src/graph/graph.js';
import { absorbBias } from '../../../src/quantize/absorb-bias/absorb-bias.js';
import { convolutionsOf } from '../../../src/quantize/network/connections.js';
import { quantizeGraph } from '../../../src/quantize/quantize.js';
import { parseRecipe } from '../../../src/quantize/recipe.js';
import { withNormalizations } from '../../calibrate/data-free/normalized-net.js';
import { constraints, GraphBuilder, randomSamples } from '../small-graphs.js';

const relu: Clamp = { lo: Float32Array.of(0), hi: Float32Array.of(Infinity) };

/** A layer whose sums lie about 8 +- 0.6, read by a 1x1 convolution or a padded one. */
async function highBias(hi: number, kernel = 1): Promise<Graph> {
  const builder = new GraphBuilder([1, 3, 6, 6], 2);
  const clamp = { lo: relu.lo, hi: Float32Array.of(hi) };
  const a = builder.conv('a', 'x', { outputs: 4, clamp });
  builder.constant('a/b', [4], Float32Array.of(8, 8, 8, -1));
  const b = builder.conv('b', a, { outputs: 5, kernel });
  const graph = builder.graph(builder.conv('c', b, { outputs: 2 }));
  return withNormalizations(graph, randomSamples(graph, 16));
}

async function outputsOf(graph: Graph): Promise<Float32Array[]> {
  const runner = await openFloatRunner(graph);
  const outputs: Float32Array[] = [];
  for await (const { input } of randomSamples(graph, 8, 50)) {
    outputs.push((await runner.run(input)).get(graph.outputs[0]!.name)!);
  }
  await runner.close();
  return outputs;
}

function furthest(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  return Math.max(...a.flatMap((list, i) => [...list].map((x, k) => Math.abs(x - b[i]![k]!))));
}

describe('absorption of high biases', () => {
  it.each([
    ['ReLU', Infinity, false],
    ['a bound far above', 40, false],
    ['a bound within the values, one for each channel', 8.1, true],
  ])('keeps the function with %s', async (_, hi, perChannelClamp) => {
    const graph = await highBias(hi);
    const { graph: lowered, absorbed } = absorbBias(graph, perChannelClamp);
    expect(absorbed).toEqual(new Map([['a', 3]]));
    const before = await outputsOf(graph);
    expect(furthest(before, await outputsOf(lowered))).toBeLessThan(1e-4);
    const [mean, was] = [lowered, graph].map((one) => one.normalizations.get('a')!.mean);
    expect(mean![0]).toBeLessThan(was![0]! - 4);
    expect(mean![3]).toBe(was![3]);
  });

  it('leaves a layer alone where one bound for all channels is reached', async () => {
    const graph = await highBias(8.1);
    const { graph: same, absorbed } = absorbBias(graph, false);
    expect(absorbed.size).toBe(0);
    expect(same.nodes).toEqual(graph.nodes);
  });

  it('says where zeros of padding stand in the way', async () => {
    const { absorbed, kept } = absorbBias(await highBias(Infinity, 3), true);
    expect([absorbed.size, kept.get('a')]).toEqual([0, 'read with padding']);
  });

  it('leaves an output of the network alone', async () => {
    const graph = await highBias(Infinity);
    const tapped = { name: 'a/y', dtype: 'f32', shape: graph.shapes.get('a/y')! } as const;
    const outputs = [...graph.outputs, tapped];
    const { absorbed, kept } = absorbBias({ ...graph, outputs }, true);
    expect([absorbed.size, kept.get('a')]).toEqual([0, 'an output of the network']);
  });

  it('makes the step of the range smaller, and is reported', async () => {
    const graph = await highBias(Infinity);
    const scaleOf = async (absorb: boolean) => {
      const { quantGraph, steps } = await quantizeGraph({
        graph,
        samples: randomSamples(graph, 8),
        constraints,
        recipe: parseRecipe(JSON.stringify({ absorbBias: absorb }), 'r.json'),
        openFloatRunner,
      });
      if (absorb)
        expect(steps[0]).toEqual({ name: 'absorb-bias', changed: '3 channels in 1 layers' });
      return quantGraph.values.get(convolutionsOf(graph)[0]!.outputs[0]!)!.scale;
    };
    expect(await scaleOf(true)).toBeLessThan((await scaleOf(false)) * 0.8);
  });
});
