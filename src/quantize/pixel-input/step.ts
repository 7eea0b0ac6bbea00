// SPDX-License-Identifier: Apache-2.0
import { activationScheme } from '../codes/scales.js';
import { sharingWith } from '../network/sharing.js';
import { isFixed } from '../ranges/fixed-quantizations.js';
import { recipeStep } from '../schedule/step.js';
import { fitPixels } from './fit-pixels.js';
import { pixelInputEntry } from './settings.js';

/** Steps of the input that the 256 values of a pixel do not fall half way between. */
export const pixelInputStep = recipeStep(pixelInputEntry, {
  name: 'pixel-input',
  allowed: (_, { constraints, pixels }) =>
    pixels !== undefined && !activationScheme(constraints).powerOfTwo,
  apply: ({ graph, activations }, _, __, { constraints, pixels }) => {
    const { name } = graph.inputs[0]!;
    const values = pixels?.();
    const present = activations.get(name)!;
    const members = sharingWith(graph, name);
    if (
      values === undefined ||
      present.bits > 8 ||
      members.some((value) => isFixed(graph, value))
    ) {
      return {
        state: {},
        changed: 'nothing: the samples are no pixels, or the input has no 8 bits',
      };
    }
    const { zeroPoint } = activationScheme(constraints);
    const { quantization, before, after } = fitPixels(present, values, zeroPoint);
    const changed = new Map(activations);
    for (const value of members) if (changed.has(value)) changed.set(value, quantization);
    const [from, to] = [present.scale, quantization.scale].map((scale) => scale.toPrecision(4));
    return {
      state: { activations: changed },
      changed:
        `step of "${name}" ${from} to ${to}; error of a pixel ` +
        `${before.toFixed(3)} to ${after.toFixed(3)} steps`,
    };
  },
});
