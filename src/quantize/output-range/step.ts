// SPDX-License-Identifier: Apache-2.0
import { activationScheme } from '../codes/scales.js';
import { recipeStep } from '../schedule/step.js';
import { widensOutputs } from '../wide-output/step.js';
import { decidingRange, expectedTies, topTwoOf } from './deciding-range.js';
import { outputRangeEntry } from './settings.js';

/** The codes of an 8-bit output spent on the scores that can win. */
export const outputRangeStep = recipeStep(outputRangeEntry, {
  name: 'output-range',
  allowed: (_, context) => context.inputDistribution === undefined && !widensOutputs(context),
  apply: async ({ graph, activations }, _, __, { constraints, samples, openFloatRunner }) => {
    const pairs = await topTwoOf(graph, samples, openFloatRunner);
    const chosen = decidingRange(graph, activations, pairs, activationScheme(constraints));
    const { name } = graph.outputs[0]!;
    const [before, after] = [activations.get(name)!.scale, chosen.get(name)!.scale];
    const ties = (step: number): string => `${expectedTies(pairs, step).toFixed(2)} %`;
    return {
      state: { activations: chosen },
      changed:
        `step of "${name}" ${before.toPrecision(3)} to ${after.toPrecision(3)}; ` +
        `ties at the top expected on ${ties(before)} of the images, then on ${ties(after)}`,
    };
  },
});
