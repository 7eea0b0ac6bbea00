// SPDX-License-Identifier: Apache-2.0
// Targets whose bias registers hold only multiples of a step (MAX78000: 8 bits times 128).
import { nativeSolver } from '../../../src/engine/solver.js';
import { openFloatRunner } from '../../../src/float/runner.js';
import type { Graph } from '../../../src/graph/graph.js';
import type { QuantGraph } from '../../../src/graph/quant-graph.js';
import { lower } from '../../../src/program/lower.js';
import { biasGridOf, quantizeBias } from '../../../src/quantize/codes/bias.js';
import { quantizeGraph } from '../../../src/quantize/quantize.js';
import { recipeSchema } from '../../../src/quantize/recipe.js';
import { simulate } from '../../../src/quantize/choices/simulate.js';
import { findTarget } from '../../../src/targets/index.js';
import type { TargetConstraints } from '../../../src/targets/target.js';
import { randomSamples, separableNet } from '../small-graphs.js';

const target = findTarget('max78000');
const { biasStep, biasLimit } = target.constraints;

async function quantize(graph: Graph, constraints: TargetConstraints): Promise<QuantGraph> {
  const { quantGraph } = await quantizeGraph({
    graph,
    samples: randomSamples(graph, 16),
    constraints,
    recipe: recipeSchema.parse({ reconstruct: {}, correctBias: 'iterated', wideOutput: true }),
    openFloatRunner: (part, taps) => openFloatRunner(part, taps),
    solver: nativeSolver(1),
  });
  return quantGraph;
}

const biasesOf = ({ nodes }: QuantGraph) =>
  nodes.flatMap((node) => (node.op === 'Conv' ? [...(node.bias ?? [])] : []));

/** The same network with its biases rounded to the registers afterwards. */
function rounded(graph: QuantGraph): QuantGraph {
  const nodes = graph.nodes.map((node) => {
    if (node.op !== 'Conv' || node.bias === undefined) return node;
    const codes = Float64Array.from(node.bias);
    return {
      ...node,
      bias: quantizeBias(codes, 1, Float32Array.of(1), biasGridOf(target.constraints)),
    };
  });
  return { ...graph, nodes };
}

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

test('the nearest multiple of the step within the limit, ties to even', () => {
  const grid = { step: 4, limit: 12 };
  const biases = Float64Array.of(1.9, 2, 5, 6, -6, 13, 99, -99);
  expect([...quantizeBias(biases, 1, Float32Array.of(1), grid)]).toEqual([
    0, 0, 4, 8, -8, 12, 12, -12,
  ]);
});

test('biases are the registers, and scales stay powers of two', async () => {
  for (const seed of [5, 6]) {
    const quantGraph = await quantize(separableNet(seed, 1), target.constraints);
    const biases = biasesOf(quantGraph);
    expect(biases.filter((bias) => bias % biasStep! !== 0 || Math.abs(bias) > biasLimit!)).toEqual(
      [],
    );
    expect(biases.filter((bias) => bias !== 0).length).toBeGreaterThan(10);
    expect(() => lower(quantGraph, target)).not.toThrow();
  }
});

test('what the registers lose is made good by the layers behind', async () => {
  const free = { ...target.constraints, biasStep: undefined };
  let [known, late] = [0, 0];
  for (const seed of [5, 6, 7, 8]) {
    const graph = separableNet(seed, 1);
    known += await errorOf(graph, await quantize(graph, target.constraints));
    late += await errorOf(graph, rounded(await quantize(graph, free)));
  }
  expect(known).toBeLessThan(0.8 * late);
});
