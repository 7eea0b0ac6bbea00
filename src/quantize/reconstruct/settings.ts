// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { settingsEntry } from '../schedule/recipe-entry.js';
import { roundingMethods } from './solver.js';

const reconstructSchema = z.strictObject({
  method: z.enum(roundingMethods).default('gptq'),
  /** Pull towards the float weights: a share of the inputs' mean variance. */
  damping: z.number().min(1e-6).max(100).default(0.01),
  /**
   * Share of the error from before that a layer makes good: 0 aims at the float weights' answer to
   * the quantized inputs, 1 at their answer to the float inputs.
   */
  asymmetry: z.number().min(0).max(1).default(0),
  /** Maximal number of rounds of coordinate descent. */
  sweeps: z.number().int().min(0).max(1000).default(20),
  /** Steps of `adaround`. */
  iterations: z.number().int().min(1).max(100000).default(250),
  /** Positions of a layer's output that are looked at, over all images. */
  positions: z.number().int().min(1).max(10000000).default(16384),
  /** Chooses scales along with the integers. */
  scales: z.boolean().default(true),
});

/** Parsed settings of the step. */
export type ReconstructSettings = z.output<typeof reconstructSchema>;

/** Search for integer weights that reproduce each layer's float output. */
export const reconstructEntry = settingsEntry({
  key: 'reconstruct',
  settings: reconstructSchema,
  best: {},
  description: 'step: search for weights layer after layer',
});
