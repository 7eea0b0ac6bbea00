// SPDX-License-Identifier: Apache-2.0
import { recipeStep } from '../schedule/step.js';
import { distill, nodeWithoutGradient } from './distill.js';
import { distillEntry, reaches } from './settings.js';

const name = 'distill';

/** Biases and free weight scales moved by gradients until the scores come closer to the float ones. */
export const distillStep = recipeStep(distillEntry, {
  name,
  // Without images there is nothing to learn from.
  allowed: (settings, { inputDistribution, scheme }) =>
    reaches(settings, scheme.bits) && inputDistribution === undefined,
  apply: async (state, _, settings, context) => {
    const { schemeOf, onProgress } = context;
    const obstacle = nodeWithoutGradient(state.graph);
    if (obstacle !== undefined) {
      const changed = `left out: no gradient of ${obstacle.op} (node "${obstacle.name}")`;
      return { state: {}, changed };
    }
    const { choices, errors } = await distill(state, {
      ...context,
      settings,
      freeScales: (layer) => !schemeOf(layer).powerOfTwo,
      onEpoch: (done, count) => {
        onProgress(name, done, count);
      },
    });
    const { weights, biases } = choices;
    return { state: { weights, biases }, changed: describe(errors) };
  },
});

/** The error of the scores on the samples, in the first and in the last round. */
function describe(errors: readonly number[]): string {
  const decibels = (error: number): string => (-10 * Math.log10(error)).toFixed(1);
  const [first = 1, last = first] = [errors[0], errors.at(-1)];
  return `${errors.length} epochs; scores ${decibels(first)} dB in the first, ${decibels(last)} dB in the last`;
}
