// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';

/** How exponents of weights are found; `weights.po2` of a recipe. */
export const po2Schema = z.strictObject({
  /** `exhaustive` is the oracle of the first three; `gradient` learns the exponent. */
  solver: z.enum(['max', 'lsq', 'lsq-search', 'exhaustive', 'gradient']).default('lsq-search'),
  /** Of the learned exponent: up, to the nearest, or to the lower squared error. */
  rounding: z.enum(['ceil', 'rint', 'msqe']).default('msqe'),
  /**
   * What a weight's squared error counts: 1; the second moment of its input; that times what noise
   * of its output costs (in place of the squared gradients of training).
   */
  weighting: z.enum(['none', 'input', 'fisher']).default('none'),
  /** Takes the square root of the weighting, as the authors do. */
  squareRoot: z.boolean().default(true),
  /** Weights further out than this many deviations do not count (`gradient`: beyond the last code). */
  outlierSigmas: z.number().positive().optional(),
  /** `gradient`: averages the exponent and freezes it half-way. */
  stable: z.boolean().default(false),
});

/** Parsed `weights.po2` of a recipe. */
export type Po2Settings = z.output<typeof po2Schema>;
