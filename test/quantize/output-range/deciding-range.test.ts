// SPDX-License-Identifier: Apache-2.0
import { openFloatRunner } from '../../../src/float/runner.js';
import {
  decidingRange,
  expectedTies,
  topTwoOf,
} from '../../../src/quantize/output-range/deciding-range.js';
import { quantizeGraph } from '../../../src/quantize/quantize.js';
import { parseRecipe } from '../../../src/quantize/recipe.js';
import { activationScheme, representedRange } from '../../../src/quantize/codes/scales.js';
import { findTarget } from '../../../src/targets/index.js';
import { randomSamples, separableNet } from '../small-graphs.js';

const graph = separableNet(3);
const output = graph.outputs[0]!.name;
const samples = randomSamples(graph, 24);

test('the two greatest scores of each image', async () => {
  const pairs = await topTwoOf(graph, samples, openFloatRunner);
  const runner = await openFloatRunner(graph, []);
  let i = 0;
  for await (const { input } of samples) {
    const sorted = (await runner.run(input)).get(output)!.slice().sort();
    expect(pairs[i++]).toEqual({ first: sorted.at(-1), second: sorted.at(-2) });
  }
  await runner.close();
  expect(pairs).toHaveLength(24);
});

test('ties are expected in proportion to what is missing of a step', () => {
  const pairs = [
    { first: 3, second: 3 },
    { first: 3, second: 2.75 },
    { first: 3, second: 1 },
    { first: 9, second: 1 },
  ];
  expect(expectedTies(pairs, 1)).toBeCloseTo((100 * (1 + 0.75)) / 4);
  expect(expectedTies(pairs, 0.25)).toBeCloseTo(25);
});

const full = { dtype: 's8', bits: 8, scale: 0.2, zeroPoint: 0 } as const;

test('codes go to what can win, with zero in range', () => {
  const scheme = activationScheme(findTarget('tflm').constraints);
  const pairs = [
    { first: 10, second: 4 },
    { first: 6, second: -1 },
  ];
  const chosen = decidingRange(graph, new Map([[output, full]]), pairs, scheme).get(output)!;
  expect(chosen.scale).toBeCloseTo(11 / 255);
  const { min, max } = representedRange(chosen);
  expect(min).toBeCloseTo(-1, 0);
  expect(max).toBeGreaterThan(10 - chosen.scale);
});

test('symmetric codes have nothing to gain and stay', () => {
  const scheme = activationScheme(findTarget('pow2').constraints);
  const present = { ...full, scale: 0.125 };
  const pairs = [{ first: 15, second: 4 }];
  const chosen = decidingRange(graph, new Map([[output, present]]), pairs, scheme);
  expect(chosen.get(output)).toEqual(present);
});

test('the step is reported, and left out where the output is wide', async () => {
  const recipe = parseRecipe('{"outputRange":"top","wideOutput":true}', 'r.json');
  const quantize = (target: string) =>
    quantizeGraph({
      ...{ graph, samples, recipe, openFloatRunner },
      constraints: findTarget(target).constraints,
    });
  const { steps, quantGraph } = await quantize('tflm');
  const found = steps.find(({ name }) => name === 'output-range')!;
  expect(found.changed).toMatch(/expected on \d+\.\d\d % of the images, then on/);
  const naive = await quantizeGraph({
    ...{ graph, samples, openFloatRunner },
    recipe: parseRecipe('{}', 'r.json'),
    constraints: findTarget('tflm').constraints,
  });
  expect(quantGraph.values.get(output)!.scale).toBeLessThan(
    naive.quantGraph.values.get(output)!.scale,
  );
  const wide = (await quantize('pow2')).steps.map(({ name }) => name);
  expect(wide).toContain('wide-output');
  expect(wide).not.toContain('output-range');
});
