// SPDX-License-Identifier: Apache-2.0
import { recipeStep } from '../schedule/step.js';
import { describeOutliers, outlierAlphas } from './outlier-alphas.js';
import { repairVariance } from './repair-variance.js';
import { repairVarianceEntry } from './settings.js';

/** Channels whose batch norm saw no variance (Sheng et al. 2018). */
export const repairVarianceStep = recipeStep(repairVarianceEntry, {
  name: 'repair-variance',
  rewrites: true,
  apply: (state) => {
    const { graph, repaired } = repairVariance(state.graph);
    const channels = [...repaired.values()].reduce((a, b) => a + b, 0);
    const left = describeOutliers(outlierAlphas(graph));
    const rest = left === '' ? '' : `; left: ${left}`;
    return { state: { graph }, changed: `${channels} channels in ${repaired.size} layers${rest}` };
  },
});
