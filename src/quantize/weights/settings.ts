// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { po2Schema } from '../po2/settings.js';
import { recipeEntry } from '../schedule/recipe-entry.js';

/** Ranges of weights: all of it, the minimum of squared error, or exponents of two (po2/). */
const methods = z.enum(['minmax', 'mse', 'po2']);

const weightSchema = z.strictObject({
  method: methods.default('minmax'),
  /** For `po2`: exponents after Bae et al. 2022. */
  po2: po2Schema.prefault({}),
});

/** Parsed `weights` of a recipe. */
export type WeightSettings = z.output<typeof weightSchema>;

/** Grids of the weights; always on. */
export const weightsEntry = recipeEntry(
  {
    key: 'weights',
    schema: weightSchema.prefault({}),
    best: { method: 'minmax' },
    flag: {
      name: 'weightRanges',
      flags: '--weight-ranges <method>',
      description: 'step: ranges of weights, minmax, mse or po2 (exponents of two)',
      schema: methods.optional(),
    },
    changed: (present, method: z.output<typeof methods>) => ({ ...present, method }),
  },
  (settings) => settings,
);
