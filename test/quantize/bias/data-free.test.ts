// SPDX-License-Identifier: Apache-2.0
import { nativeSolver } from '../../../src/engine/solver.js';
import { openFloatRunner } from '../../../src/float/runner.js';
import type { Graph } from '../../../src/graph/graph.js';
import { interpret, lower, quantizeInput } from '../../../src/program/index.js';
import { quantizeGraph, type QuantizeResult } from '../../../src/quantize/quantize.js';
import { findRecipe } from '../../../src/quantize/recipe.js';
import { findTarget } from '../../../src/targets/index.js';
import { noise, withNormalizations } from '../../calibrate/data-free/normalized-net.js';
import { randomSamples, separableNet } from '../small-graphs.js';

function without(graph: Graph, target: string, perChannel?: boolean): Promise<QuantizeResult> {
  return quantizeGraph({
    graph,
    samples: randomSamples(graph, 0),
    inputDistribution: noise(3),
    constraints: findTarget(target).constraints,
    recipe: findRecipe('best'),
    openFloatRunner: () => Promise.reject(new Error('the float network was run')),
    ...(perChannel === undefined ? {} : { weights: { perChannel } }),
  });
}

async function sqnr(graph: Graph, result: QuantizeResult, target: string): Promise<number> {
  const program = lower(result.quantGraph, findTarget(target));
  const runner = await openFloatRunner(graph);
  let [signal, error] = [0, 0];
  for await (const { input } of randomSamples(graph, 16, 99)) {
    const real = (await runner.run(input)).get(graph.outputs[0]!.name)!;
    const [output] = interpret(program, quantizeInput(program, input)).outputs;
    output!.data.forEach((code, i) => {
      signal += real[i]! ** 2;
      error += (real[i]! - (code - output!.zeroPoint) * output!.scale) ** 2;
    });
  }
  await runner.close();
  return 10 * Math.log10(signal / error);
}

describe('quantization without images', () => {
  it.each([
    ['tflm', undefined],
    ['q31-pc', false],
    ['sheng2018', undefined],
    ['pow2', undefined],
  ] as const)(
    'on %s is far better than naive ranges and near images',
    async (target, perChannel) => {
      const bare = separableNet(3, 1);
      const graph = await withNormalizations(bare, randomSamples(bare, 32, 1));
      const result = await without(graph, target, perChannel);
      expect(result.steps[0]).toEqual({
        name: 'data-free',
        changed: 'statistics from 8 batch norms',
      });
      expect(result.warnings).toEqual([]);
      const common = {
        graph,
        samples: randomSamples(graph, 32, 1),
        constraints: findTarget(target).constraints,
        openFloatRunner,
        solver: nativeSolver(),
        ...(perChannel === undefined ? {} : { weights: { perChannel } }),
      };
      const best = await quantizeGraph({ ...common, recipe: findRecipe('best') });
      const naive = await quantizeGraph({ ...common, recipe: findRecipe('naive') });
      const reached = await sqnr(graph, result, target);
      expect(reached).toBeGreaterThan(await sqnr(graph, naive, target));
      // With powers of two and 16-bit logits all are better than 40 dB here.
      const least = Math.min(40, (await sqnr(graph, best, target)) - 4);
      expect(reached).toBeGreaterThan(least);
    },
  );

  it('gives the same integers twice', async () => {
    const bare = separableNet(4);
    const graph = await withNormalizations(bare, randomSamples(bare, 8));
    const once = await without(graph, 'sheng2018');
    const twice = await without(graph, 'sheng2018');
    expect(once.quantGraph).toEqual(twice.quantGraph);
  });

  it('of a network without batch norms is refused', async () => {
    await expect(without(separableNet(4), 'tflm')).rejects.toThrow(/\[no-batch-norms\].*--calib/);
  });

  it.each(['tflm', 'sheng2018', 'pow2'])(
    'survives channels without deviation on %s',
    async (target) => {
      const bare = separableNet(2);
      const graph = await withNormalizations(bare, randomSamples(bare, 8));
      const dead = new Map(
        [...graph.normalizations].map(([name, norm]) => [
          name,
          {
            ...norm,
            std: norm.std.map((s, c) => (c < 3 ? 0 : s)),
            mean: norm.mean.map((m, c) => (c < 2 ? -1 : m)),
          },
        ]),
      );
      const { quantGraph } = await without({ ...graph, normalizations: dead }, target);
      for (const { scale, zeroPoint } of quantGraph.values.values()) {
        expect(scale > 0 && Number.isFinite(scale) && Number.isInteger(zeroPoint)).toBe(true);
      }
      for (const node of quantGraph.nodes) {
        if (node.op !== 'Conv') continue;
        expect(node.weight.scales.every((s) => s > 0 && Number.isFinite(s))).toBe(true);
      }
      lower(quantGraph, findTarget(target));
    },
  );
});
