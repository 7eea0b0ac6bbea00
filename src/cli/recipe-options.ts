// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';

import { option } from './options.js';

const step = z.boolean().optional();

/** Steps of the recipe, one by one; the names are those of `RecipeChanges`. */
export const recipeOptions = {
  repairVariance: option('--repair-variance', 'step: channels without variance', step),
  equalize: option('--equalize', 'step: rescale channels between layers', step),
  absorbBias: option('--absorb-bias', 'step: high biases move to the next layers', step),
  ranges: option(
    '--ranges <method>',
    'step: ranges of activations, minmax, percentile, mse, kl or output',
    z.enum(['minmax', 'percentile', 'mse', 'kl', 'output']).optional(),
  ),
  pixelInput: option('--pixel-input', 'step: input steps that pixels do not fall between', step),
  weightRanges: option(
    '--weight-ranges <method>',
    'step: ranges of weights, minmax, mse or po2 (exponents of two)',
    z.enum(['minmax', 'mse', 'po2']).optional(),
  ),
  reconstruct: option('--reconstruct', 'step: search for weights layer after layer', step),
  biasCorrection: option(
    '--bias-correction <method>',
    'step: none, analytic or iterated',
    z.enum(['none', 'analytic', 'iterated']).optional(),
  ),
  distill: option('--distill', 'step: gradients move biases and scales (no labels)', step),
  wideOutput: option('--wide-output', 'step: 16-bit logits where the target has them', step),
  outputRange: option(
    '--output-range <how>',
    'step: full, or top: low scores saturate for finer steps at the top',
    z.enum(['full', 'top']).optional(),
  ),
} as const;
