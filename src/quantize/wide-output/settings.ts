// SPDX-License-Identifier: Apache-2.0
import { switchEntry } from '../schedule/recipe-entry.js';

/** Lets the last layer write 16 or 32 bits where the target can. */
export const wideOutputEntry = switchEntry({
  key: 'wideOutput',
  best: true,
  description: 'step: 16-bit logits where the target has them',
  listedLast: true,
});
