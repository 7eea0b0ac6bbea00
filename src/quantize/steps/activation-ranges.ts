// SPDX-License-Identifier: Apache-2.0
import type { Graph } from '../../graph/graph.js';
import { activationNames, chooseActivations } from '../activations.js';
import { valueCosts } from '../noise-model.js';
import { activationScheme } from '../scales.js';
import { widened } from '../widths.js';
import type { Step } from './step.js';

/** A scale and a zero point for every value; always wanted. */
export const activationRangesStep: Step = {
  name: 'activation-ranges',
  wanted: () => true,
  needs: ({ graph }, { recipe }) =>
    recipe.activations.method === 'output'
      ? { weightedHistogram: shareOfCost(graph) }
      : { histogram: activationNames(graph) },
  apply: ({ graph, wide }, statistics, { recipe, constraints }) => {
    const weighted = recipe.activations.method === 'output';
    const histogram = weighted ? statistics.weightedHistogram : statistics.histogram;
    const scheme = activationScheme(constraints);
    const narrow = chooseActivations(graph, histogram, scheme, recipe.activations);
    const activations = new Map(
      [...narrow].map(([value, one]) => [value, wide.has(value) ? widened(one) : one]),
    );
    const { method, percentile } = recipe.activations;
    const how = method === 'percentile' ? `percentile ${percentile}` : method;
    return { state: { activations }, changed: `${activations.size} values by ${how}` };
  },
};

/** What noise of each channel costs at the output, as a multiple of the mean over the channels. */
function shareOfCost(graph: Graph): ReadonlyMap<string, Float64Array> {
  const costs = valueCosts(graph, new Map());
  return new Map(
    activationNames(graph).map((value) => {
      const cost = costs.get(value);
      const total = cost?.reduce((a, b) => a + b, 0) ?? 0;
      // What nothing depends on counts as it is.
      if (cost === undefined || !(total > 0 && total < Infinity))
        return [value, Float64Array.of(1)];
      return [value, cost.map((one) => (one * cost.length) / total)];
    }),
  );
}
