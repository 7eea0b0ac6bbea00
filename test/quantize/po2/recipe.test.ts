// SPDX-License-Identifier: Apache-2.0
import { openFloatRunner } from '../../../src/float/runner.js';
import { lower } from '../../../src/program/index.js';
import { quantizeGraph, type QuantizeResult } from '../../../src/quantize/quantize.js';
import { parseRecipe } from '../../../src/quantize/recipe.js';
import { findTarget } from '../../../src/targets/index.js';
import { randomSamples, separableNet } from '../small-graphs.js';

function quantize(po2: object, target = 'pow2', perChannel = false): Promise<QuantizeResult> {
  const graph = separableNet(5);
  return quantizeGraph({
    graph,
    samples: randomSamples(graph, 8),
    constraints: findTarget(target).constraints,
    recipe: parseRecipe(JSON.stringify({ weights: { method: 'po2', po2 } }), 'r.json'),
    openFloatRunner,
    weights: { perChannel },
  });
}

describe('weights by powers of two in a recipe', () => {
  it.each([
    [{ solver: 'max' }, false],
    [{ solver: 'lsq' }, true],
    [{ solver: 'lsq-search', weighting: 'input' }, false],
    [{ solver: 'exhaustive', weighting: 'fisher', squareRoot: false }, true],
    [{ solver: 'gradient', weighting: 'fisher', outlierSigmas: 3, stable: true }, false],
  ])('%j, per channel: %s: exponents, and their figures in the report', async (po2, perChannel) => {
    const { quantGraph, steps } = await quantize(po2, 'pow2', perChannel);
    const report = steps.find(({ name }) => name === 'weights')!;
    expect(report.changed).toContain(`powers of two by ${po2.solver}`);
    const layers = quantGraph.nodes.filter((node) => node.op === 'Conv');
    expect(report.layers!.map(({ layer }) => layer)).toEqual(layers.map(({ name }) => name));
    for (const figures of report.layers!) {
      expect(Object.keys(figures)).toEqual(
        expect.arrayContaining([
          'exponents',
          'trace',
          'flips',
          'msqe',
          'weightedMsqe',
          'clippedShare',
        ]),
      );
    }
    for (const { weight } of layers) {
      expect([...weight.scales].every((scale) => Number.isInteger(Math.log2(scale)))).toBe(true);
      expect(weight.scales).toHaveLength(perChannel ? weight.shape[0]! : 1);
    }
    lower(quantGraph, findTarget('pow2'));
  });

  it('weight errors by what arrives: no importance and Fisher differ', async () => {
    const figures = async (weighting: string) => {
      const { steps } = await quantize({ solver: 'exhaustive', weighting });
      return steps.find(({ name }) => name === 'weights')!.layers!;
    };
    const [plain, fisher] = [await figures('none'), await figures('fisher')];
    plain.forEach(({ msqe, weightedMsqe }) => {
      expect(weightedMsqe).toBe(msqe);
    });
    expect(fisher.some(({ msqe, weightedMsqe }) => weightedMsqe !== msqe)).toBe(true);
  });

  it('are refused where weights have a zero point', async () => {
    await expect(quantize({}, 'sheng2018')).rejects.toThrow(/\[po2-weights\].*pow2/);
  });

  it('give the same integers twice', async () => {
    const settings = { solver: 'gradient', weighting: 'fisher' };
    const [once, twice] = [await quantize(settings), await quantize(settings)];
    expect(once.quantGraph).toEqual(twice.quantGraph);
    expect(once.steps).toEqual(twice.steps);
  });
});
