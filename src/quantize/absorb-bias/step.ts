// SPDX-License-Identifier: Apache-2.0
import { recipeStep } from '../schedule/step.js';
import { absorbBias } from './absorb-bias.js';
import { absorbBiasEntry } from './settings.js';

/** High biases handed on to the next layers (Nagel et al. 2019). */
export const absorbBiasStep = recipeStep(absorbBiasEntry, {
  name: 'absorb-bias',
  rewrites: true,
  apply: (state, _, __, { constraints }) => {
    if (state.graph.normalizations.size === 0) {
      return { state: {}, changed: 'nothing: the model has no batch norms that tell which biases' };
    }
    const { graph, absorbed, kept } = absorbBias(state.graph, constraints.perChannelClamp);
    const channels = [...absorbed.values()].reduce((a, b) => a + b, 0);
    const reasons = [...new Set(kept.values())].join(', ');
    const rest = kept.size === 0 ? '' : `; ${kept.size} layers keep theirs (${reasons})`;
    return { state: { graph }, changed: `${channels} channels in ${absorbed.size} layers${rest}` };
  },
});
