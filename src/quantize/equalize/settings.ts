// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { settingsEntry } from '../schedule/recipe-entry.js';

const equalizeSchema = z.strictObject({
  /** Steps of the optimizer. */
  iterations: z.number().int().min(0).max(10000).default(200),
});

/** Rescales channels between layers for minimal quantization noise. */
export const equalizeEntry = settingsEntry({
  key: 'equalize',
  settings: equalizeSchema,
  best: {},
  description: 'step: rescale channels between layers',
});
