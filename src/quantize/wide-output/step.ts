// SPDX-License-Identifier: Apache-2.0
import { activationScheme } from '../codes/scales.js';
import { recipeStep, type Context } from '../schedule/step.js';
import { wideOutputEntry } from './settings.js';
import { widenOutputs } from './widen-outputs.js';

/** 16 bits for what the last layer writes, where the target can. */
export const wideOutputStep = recipeStep(wideOutputEntry, {
  name: 'wide-output',
  allowed: (_, context) => hasWideOutputs(context),
  needs: ({ graph }) => ({ histogram: graph.outputs.map(({ name }) => name) }),
  apply: ({ graph, activations }, { histogram }, _, { constraints }) => {
    const widened = widenOutputs(graph, activations, histogram, activationScheme(constraints));
    const bits = graph.outputs.map(({ name }) => `"${name}": ${widened.get(name)!.bits} bits`);
    return { state: { activations: widened }, changed: bits.join(', ') };
  },
});

/** Whether the target's last layer can write 16 bits. */
function hasWideOutputs({ constraints }: Context): boolean {
  return constraints.wideOutputs.includes('s16');
}

/** Whether the step is on. */
export function widensOutputs(context: Context): boolean {
  return wideOutputEntry.settingsIn(context.recipe) !== false && hasWideOutputs(context);
}
