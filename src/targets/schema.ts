// SPDX-License-Identifier: Apache-2.0
// Pieces of the schema of a user's target.
import { z } from 'zod';

/** A whole number from `least` to `most`. */
export const whole = (least: number, most: number) => z.int().min(least).max(most);

/**
 * An object without other keys than these; the message of a wrong one lists them. JSON has no comments, so
 * each may have a `description`.
 */
export function object<const Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(
    { ...shape, description: z.string().optional() },
    {
      error: (issue) =>
        issue.code === 'unrecognized_keys'
          ? `unknown key ${issue.keys.map((key) => `"${key}"`).join(', ')}; known are ${Object.keys(shape).join(', ')}`
          : undefined,
    },
  );
}
