// SPDX-License-Identifier: Apache-2.0
import { decidingRange, expectedTies, topTwoOf } from '../last-layer.js';
import { activationScheme } from '../scales.js';
import type { Context, Step } from './step.js';

/** The codes of an 8-bit output spent on the scores that can win. */
export const outputRangeStep: Step = {
  name: 'output-range',
  wanted: (context) =>
    context.recipe.outputRange === 'top' && context.inputLaw === undefined && !isWide(context),
  apply: async ({ graph, activations }, _, { constraints, samples, openFloatRunner }) => {
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
};

function isWide({ recipe, constraints }: Context): boolean {
  return recipe.wideOutput && constraints.wideOutputs.includes('s16');
}
