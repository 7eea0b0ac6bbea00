// SPDX-License-Identifier: Apache-2.0
import type { Graph } from '../../graph/graph.js';
import { widened } from '../activation-width/widths.js';
import { activationScheme } from '../codes/scales.js';
import { valueCosts } from '../noise/value-costs.js';
import { recipeStep } from '../schedule/step.js';
import { activationNames, chooseActivations } from './activations.js';
import { activationsEntry } from './settings.js';

/** A scale and a zero point for every value; always on. */
export const activationRangesStep = recipeStep(activationsEntry, {
  name: 'activation-ranges',
  needs: ({ graph }, { method }) =>
    method === 'output'
      ? { weightedHistogram: shareOfCost(graph) }
      : { histogram: activationNames(graph) },
  apply: ({ graph, wide }, statistics, settings, { constraints }) => {
    const { method, percentile } = settings;
    const histogram = method === 'output' ? statistics.weightedHistogram : statistics.histogram;
    const scheme = activationScheme(constraints);
    const narrow = chooseActivations(graph, histogram, scheme, settings);
    const activations = new Map(
      [...narrow].map(([value, one]) => [value, wide.has(value) ? widened(one) : one]),
    );
    const how = method === 'percentile' ? `percentile ${percentile}` : method;
    return { state: { activations }, changed: `${activations.size} values by ${how}` };
  },
});

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
