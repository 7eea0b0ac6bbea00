// SPDX-License-Identifier: Apache-2.0
import { manifestJsonSchema } from '../golden/index.js';
import { didYouMean, UsageError } from '../errors.js';
import { recipeJsonSchema } from '../quantize/recipe.js';
import { targetJsonSchema } from '../targets/user-target.js';

const schemas: Readonly<Record<string, () => object>> = {
  target: targetJsonSchema,
  recipe: recipeJsonSchema,
  golden: manifestJsonSchema,
};

/** Files that have a schema. */
export const schemaNames: readonly string[] = Object.keys(schemas);

/**
 * JSON Schema (draft 2020-12) of a kind of file: a target of one's own, a recipe, a manifest of golden vectors.
 * @throws UsageError `unknown-schema`
 */
export function schemaOf(name: string): object {
  if (Object.hasOwn(schemas, name)) return schemas[name]!();
  throw new UsageError(
    'unknown-schema',
    name,
    `expected one of ${schemaNames.join(', ')}${didYouMean(name, schemaNames)}`,
  );
}
