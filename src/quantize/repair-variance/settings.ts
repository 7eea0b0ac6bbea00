// SPDX-License-Identifier: Apache-2.0
import { switchEntry } from '../schedule/recipe-entry.js';

/** Gives channels whose batch norm saw no variance the mean variance of the others. */
export const repairVarianceEntry = switchEntry({
  key: 'repairVariance',
  best: true,
  description: 'step: channels without variance',
});
