// SPDX-License-Identifier: Apache-2.0
import { isFixed } from '../activations.js';
import { sharingWith } from '../last-layer.js';
import { fitPixels } from '../pixel-input.js';
import { activationScheme } from '../scales.js';
import type { Step } from './step.js';

/** Steps of the input that the 256 values of a pixel do not fall half way between. */
export const pixelInputStep: Step = {
  name: 'pixel-input',
  wanted: ({ recipe, constraints, pixels }) =>
    recipe.pixelInput && pixels !== undefined && !activationScheme(constraints).powerOfTwo,
  apply: ({ graph, activations }, _, { constraints, pixels }) => {
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
};
