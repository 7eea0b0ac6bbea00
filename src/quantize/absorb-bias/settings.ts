// SPDX-License-Identifier: Apache-2.0
import { switchEntry } from '../schedule/recipe-entry.js';

/** Hands biases that keep a ReLU open on to the next layers, so that ranges shrink. */
export const absorbBiasEntry = switchEntry({
  key: 'absorbBias',
  best: false,
  description: 'step: high biases move to the next layers',
});
