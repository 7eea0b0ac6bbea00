// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { recipeEntry } from '../schedule/recipe-entry.js';

const kinds = z.enum(['full', 'top']);

/** `top` spends all codes of an 8-bit output on scores that can win; the others saturate. */
export const outputRangeEntry = recipeEntry(
  {
    key: 'outputRange',
    schema: kinds.default('full'),
    best: 'full',
    flag: {
      name: 'outputRange',
      flags: '--output-range <how>',
      description: 'step: full, or top: low scores saturate for finer steps at the top',
      schema: kinds.optional(),
    },
    changed: (_, kind: z.output<typeof kinds>) => kind,
    listedLast: true,
  },
  (kind) => kind === 'top' && {},
);
