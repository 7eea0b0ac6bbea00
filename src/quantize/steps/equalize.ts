// SPDX-License-Identifier: Apache-2.0
import { equalize, equalizeNeeds } from '../equalize.js';
import type { Step } from './step.js';

/** Channels rescaled for the least modelled noise. */
export const equalizeStep: Step = {
  name: 'equalize',
  rewrites: true,
  wanted: ({ recipe }) => recipe.equalize !== false,
  needs: ({ graph }, { constraints }) => equalizeNeeds(graph, constraints.perChannelClamp),
  apply: (state, statistics, { recipe, constraints, scheme }) => {
    const { graph, factors, groups, channels, noiseRatio } = equalize(state.graph, statistics, {
      iterations: recipe.equalize === false ? 0 : recipe.equalize.iterations,
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
};
