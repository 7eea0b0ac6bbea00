// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { recipeEntry } from '../schedule/recipe-entry.js';

/**
 * `minmax` clips nothing; `percentile` a fixed share; `mse` as much as lowers the total squared
 * error; `kl` as loses the fewest nats of information; `output` as lowers the error that reaches the
 * network's output: the squared error with each channel weighted by what noise there costs.
 */
export const rangeMethods = ['minmax', 'percentile', 'mse', 'kl', 'output'] as const;
/** One of `rangeMethods`. */
export type RangeMethod = (typeof rangeMethods)[number];

/** Which range of its values an activation can express. */
const activationSchema = z.strictObject({
  method: z.enum(rangeMethods).default('minmax'),
  /** For `percentile`: share kept on each side, in percent. */
  percentile: z.number().min(50).max(100).default(99.99),
});

/** Parsed `activations` of a recipe. */
export type ActivationSettings = z.output<typeof activationSchema>;

/** Ranges of activations; always on. */
export const activationsEntry = recipeEntry(
  {
    key: 'activations',
    schema: activationSchema.prefault({}),
    best: { method: 'mse' },
    flag: {
      name: 'ranges',
      flags: '--ranges <method>',
      description: 'step: ranges of activations, minmax, percentile, mse, kl or output',
      schema: z.enum(rangeMethods).optional(),
    },
    changed: (present, method: RangeMethod) => ({ ...present, method }),
  },
  (settings) => settings,
);
