// SPDX-License-Identifier: Apache-2.0
import { UsageError } from '../../errors.js';
import { reconstruct, type LayerGain } from '../reconstruct.js';
import type { Step } from './step.js';

const name = 'reconstruct';

/** Weights searched for layer after layer, so that each reproduces the float network's output. */
export const reconstructStep: Step = {
  name,
  // Without images there is nothing to reconstruct from.
  wanted: ({ recipe, inputLaw }) => recipe.reconstruct !== false && inputLaw === undefined,
  apply: async (state, _, context) => {
    const { recipe, solver, constraints } = context;
    if (recipe.reconstruct === false) return { state: {}, changed: 'nothing' };
    if (solver === undefined) {
      throw new UsageError('no-solver', 'recipe', `"${name}" needs a solver; set it to false`);
    }
    const { choices, gains } = await reconstruct(state, {
      ...context,
      solver,
      biasLimit: constraints.biasLimit,
      settings: {
        ...recipe.reconstruct,
        // Exponents that were chosen by a method of their own stay.
        scales: recipe.reconstruct.scales && recipe.weights.method !== 'po2',
      },
      onLayer: (done, count) => {
        context.onProgress(name, done, count);
      },
    });
    const { weights, biases } = choices;
    const changed = describe(gains, recipe.reconstruct.method);
    return { state: { weights, biases }, changed, layers: gains.map((gain) => ({ ...gain })) };
  },
};

/** How much of the error that weights on a grid add is left, over the layers. */
function describe(gains: readonly LayerGain[], method: string): string {
  const ratios = gains.filter(({ before }) => before > 0).map((gain) => gain.after / gain.before);
  const logs = ratios.map((ratio) => Math.log(Math.max(ratio, Number.MIN_VALUE)));
  const mean = Math.exp(logs.reduce((a, b) => a + b, 0) / Math.max(logs.length, 1));
  const least = ratios.reduce((a, b) => Math.min(a, b), 1);
  const greatest = ratios.reduce((a, b) => Math.max(a, b), 0);
  return (
    `${gains.length} layers by ${method}; squared error from rounding x ${mean.toPrecision(3)} ` +
    `(${least.toPrecision(3)} to ${greatest.toPrecision(3)})`
  );
}
