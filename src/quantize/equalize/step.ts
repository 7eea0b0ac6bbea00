// SPDX-License-Identifier: Apache-2.0
import { recipeStep } from '../schedule/step.js';
import { equalize, equalizeNeeds } from './equalize.js';
import { equalizeEntry } from './settings.js';

/** Channels rescaled for minimal modelled noise. */
export const equalizeStep = recipeStep(equalizeEntry, {
  name: 'equalize',
  rewrites: true,
  needs: ({ graph }, _, { constraints }) => equalizeNeeds(graph, constraints.perChannelClamp),
  apply: (state, statistics, { iterations }, { constraints, scheme }) => {
    const { graph, factors, groups, channels, noiseRatio } = equalize(state.graph, statistics, {
      iterations,
      perChannelClamp: constraints.perChannelClamp,
      biasStep: constraints.biasStep,
      perChannelWeights: scheme.perChannel,
      weightLevels: 2 ** scheme.bits - 1,
      activationLevels: 255,
      asymmetricWeights: scheme.zeroPoint,
      asymmetricActivations: constraints.activationZeroPoint,
    });
    return {
      state: { graph, channelFactors: factors },
      changed:
        `${channels} channels in ${groups} groups; ` +
        `modelled noise x ${noiseRatio.toPrecision(3)}`,
    };
  },
});
