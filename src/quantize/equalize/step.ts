// SPDX-License-Identifier: Apache-2.0
import type { Graph } from '../../graph/graph.js';
import { bitsOfType } from '../../numeric/code-types.js';
import { finer, widenGraph } from '../activation-width/widths.js';
import { convolutionsOf } from '../network/connections.js';
import { recipeStep, type Context } from '../schedule/step.js';
import { equalize, equalizeNeeds } from './equalize.js';
import { equalizeEntry } from './settings.js';

/** Channels rescaled for minimal modelled noise. */
export const equalizeStep = recipeStep(equalizeEntry, {
  name: 'equalize',
  rewrites: true,
  needs: ({ graph }, _, { constraints }) => equalizeNeeds(graph, constraints.perChannelClamp),
  apply: (state, statistics, { iterations }, context) => {
    const { constraints, scheme } = context;
    const { graph, factors, groups, channels, noiseRatio } = equalize(state.graph, statistics, {
      iterations,
      perChannelClamp: constraints.perChannelClamp,
      biasStep: constraints.biasStep,
      perChannelWeights: scheme.perChannel,
      weightLevels: 2 ** scheme.bits - 1,
      activationLevels: levelsOf(state.graph, context),
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

/** Steps in the range of each value: as many as the target's codes have, more where layers are to be wide. */
function levelsOf(graph: Graph, { constraints, wideLayers }: Context): (value: string) => number {
  const levels = 2 ** bitsOfType[constraints.activations[0]!] - 1;
  const layers =
    wideLayers === 'all' ? new Set(convolutionsOf(graph).map(({ name }) => name)) : wideLayers;
  const { wide } = widenGraph(graph, layers);
  return (value) => (wide.has(value) ? levels * finer : levels);
}
