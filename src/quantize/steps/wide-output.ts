// SPDX-License-Identifier: Apache-2.0
import { widenOutputs } from '../last-layer.js';
import { activationScheme } from '../scales.js';
import type { Step } from './step.js';

/** 16 bits for what the last layer writes, where the target can. */
export const wideOutputStep: Step = {
  name: 'wide-output',
  wanted: ({ recipe, constraints }) => recipe.wideOutput && constraints.wideOutputs.includes('s16'),
  needs: ({ graph }) => ({ histogram: graph.outputs.map(({ name }) => name) }),
  apply: ({ graph, activations }, { histogram }, { constraints }) => {
    const widened = widenOutputs(graph, activations, histogram, activationScheme(constraints));
    const bits = graph.outputs.map(({ name }) => `"${name}": ${widened.get(name)!.bits} bits`);
    return { state: { activations: widened }, changed: bits.join(', ') };
  },
};
