// SPDX-License-Identifier: Apache-2.0
import { switchEntry } from '../schedule/recipe-entry.js';

/** Moves the input's scale a little where the values of pixels fall half way between its steps. */
export const pixelInputEntry = switchEntry({
  key: 'pixelInput',
  best: true,
  description: 'step: input steps that pixels do not fall between',
});
