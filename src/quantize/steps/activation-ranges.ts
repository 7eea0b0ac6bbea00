// SPDX-License-Identifier: Apache-2.0
import { activationNames, chooseActivations } from '../activations.js';
import { activationScheme } from '../scales.js';
import type { Step } from './step.js';

/** A scale and a zero point for every value; always wanted. */
export const activationRangesStep: Step = {
  name: 'activation-ranges',
  wanted: () => true,
  needs: ({ graph }) => ({ histogram: activationNames(graph) }),
  apply: ({ graph }, { histogram }, { recipe, constraints }) => {
    const scheme = activationScheme(constraints);
    const activations = chooseActivations(graph, histogram, scheme, recipe.activations);
    const { method, percentile } = recipe.activations;
    const how = method === 'percentile' ? `percentile ${percentile}` : method;
    return { state: { activations }, changed: `${activations.size} values by ${how}` };
  },
};
