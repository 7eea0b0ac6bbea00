// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { recipeEntry } from '../schedule/recipe-entry.js';

const methods = z.enum(['none', 'analytic', 'iterated']);

/** Ways of correcting biases, where they are corrected at all. */
export type BiasMethod = Exclude<z.output<typeof methods>, 'none'>;

/** `analytic` matches the means of each layer by itself, `iterated` those of the quantized network. */
export const correctBiasEntry = recipeEntry(
  {
    key: 'correctBias',
    schema: methods.default('none'),
    best: 'analytic',
    flag: {
      name: 'biasCorrection',
      flags: '--bias-correction <method>',
      description: 'step: none, analytic or iterated',
      schema: methods.optional(),
    },
    changed: (_, method: z.output<typeof methods>) => method,
  },
  (method): false | { readonly method: BiasMethod } => method !== 'none' && { method },
);
