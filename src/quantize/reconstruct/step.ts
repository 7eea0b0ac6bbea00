// SPDX-License-Identifier: Apache-2.0
import { UsageError } from '../../errors.js';
import { recipeStep, type Context } from '../schedule/step.js';
import { weightsEntry } from '../weights/settings.js';
import { reconstruct, type LayerGain } from './reconstruct.js';
import { reconstructEntry, type ReconstructSettings } from './settings.js';

const name = 'reconstruct';

/** Weights searched for layer after layer, so that each reproduces the float network's output. */
export const reconstructStep = recipeStep(reconstructEntry, {
  name,
  // Without images there is nothing to reconstruct from.
  allowed: (_, { inputDistribution }) => inputDistribution === undefined,
  apply: async (state, _, settings, context) => {
    const { solver, constraints } = context;
    if (solver === undefined) {
      throw new UsageError('no-solver', 'recipe', `"${name}" needs a solver; set it to false`);
    }
    const { choices, gains } = await reconstruct(state, {
      ...context,
      solver,
      biasLimit: constraints.biasLimit,
      settings: withFixedExponents(settings, context),
      onLayer: (done, count) => {
        context.onProgress(name, done, count);
      },
    });
    const { weights, biases } = choices;
    const changed = describe(gains, settings.method);
    return { state: { weights, biases }, changed, layers: gains.map((gain) => ({ ...gain })) };
  },
});

/** Exponents that were chosen by a method of their own stay. */
function withFixedExponents(
  settings: ReconstructSettings,
  { recipe }: Context,
): ReconstructSettings {
  const weights = weightsEntry.settingsIn(recipe);
  const fixed = weights !== false && weights.method === 'po2';
  return { ...settings, scales: settings.scales && !fixed };
}

/** How much of the error that weights on a grid add is left, over the layers. */
function describe(gains: readonly LayerGain[], method: string): string {
  const ratios = gains.filter(({ before }) => before > 0).map((gain) => gain.after / gain.before);
  const logs = ratios.map((ratio) => Math.log(Math.max(ratio, Number.MIN_VALUE)));
  const mean = Math.exp(logs.reduce((a, b) => a + b, 0) / Math.max(logs.length, 1));
  const min = ratios.reduce((a, b) => Math.min(a, b), 1);
  const max = ratios.reduce((a, b) => Math.max(a, b), 0);
  return (
    `${gains.length} layers by ${method}; squared error from rounding x ${mean.toPrecision(3)} ` +
    `(${min.toPrecision(3)} to ${max.toPrecision(3)})`
  );
}
