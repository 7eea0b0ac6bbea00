// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { settingsEntry, type RecipeValues } from '../schedule/recipe-entry.js';

const distillSchema = z.strictObject({
  /** Times that every image is looked at. */
  epochs: z.number().int().min(1).max(1000).default(5),
  /** Images between two updates. */
  batch: z.number().int().min(1).max(1000).default(8),
  /**
   * First step of a bias, as a share of its output's range / 255. This and `gainRate` are multiplied
   * by the root of the scores' relative squared error at the start, and fall to zero.
   */
  biasRate: z.number().min(0).max(100).default(0.25),
  /** First step of a weight scale, as a share of itself. */
  gainRate: z.number().min(0).max(1).default(0.005),
  /** Maximal number of weight bits: the step is left out where weights have more. */
  mostBits: z.number().int().min(2).max(16).default(16),
});

/** Parsed settings of the step. */
export type DistillSettings = z.output<typeof distillSchema>;

const entry = settingsEntry({
  key: 'distill',
  settings: distillSchema,
  best: { mostBits: 7 },
  description: 'step: gradients move biases and scales (no labels)',
});

/** Biases and scales by gradient descent on the scores' error. */
export const distillEntry = {
  ...entry,
  /** Whoever asks for gradients means any number of bits. */
  changed: (present: false | DistillSettings, change: boolean) =>
    entry.changed(change ? false : present, change),
};

/** Whether gradients are asked for where weights have `bits`. */
export function distills(recipe: RecipeValues, bits: number): boolean {
  const settings = distillEntry.settingsIn(recipe);
  return settings !== false && reaches(settings, bits);
}

/** Whether the step applies to weights of `bits`. */
export function reaches({ mostBits }: DistillSettings, bits: number): boolean {
  return bits <= mostBits;
}
