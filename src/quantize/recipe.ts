// SPDX-License-Identifier: Apache-2.0
// What follows from the list of steps: the schema of recipes, the recipe `best`, and the options
// that change single keys.
import { z } from 'zod';
import { didYouMean, UsageError } from '../errors.js';
import { readTextFile } from '../limits/read-file.js';
import { kebab, type AnyEntry } from './schedule/recipe-entry.js';
import { steps } from './steps.js';

type Entry = Exclude<(typeof steps)[number]['entry'], undefined>;

/** The keys of a recipe in the order in which options, names and messages list them. */
const entries: readonly Entry[] = inListedOrder(
  steps.flatMap(({ entry }) => (entry === undefined ? [] : [entry])),
);

function inListedOrder(all: readonly Entry[]): readonly Entry[] {
  const isLast = ({ listedLast = false }: AnyEntry): boolean => listedLast;
  return [...all.filter((entry) => !isLast(entry)), ...all.filter(isLast)];
}

type Schemas = { readonly [One in Entry as One['key']]: One['schema'] };

const schemas = Object.fromEntries(
  entries.map(({ key, schema }) => [key, schema]),
) as unknown as Schemas;

/**
 * What quantization does; a step that is false or absent is left out. Every key is optional and
 * unknown keys are errors.
 */
export const recipeSchema = z.strictObject({
  name: z.string().min(1).default('custom'),
  ...schemas,
});

/** A recipe, complete. */
export type Recipe = z.output<typeof recipeSchema>;

/** Single keys given beside a recipe; they go before it. `true` asks for a step's own defaults. */
export type RecipeChanges = {
  readonly [One in Entry as One['flag']['name']]?: z.output<One['flag']['schema']>;
};

/** The options of the command line that make a `RecipeChanges`, by their name in it. */
export const recipeFlags = Object.fromEntries(
  entries.map(({ flag }) => [flag.name, flag]),
) as unknown as { readonly [One in Entry as One['flag']['name']]: One['flag'] };

/** JSON Schema (draft 2020-12) of a recipe's file. */
export function recipeJsonSchema(): object {
  return z.toJSONSchema(recipeSchema, { io: 'input' });
}

/** The recipe with the changes made; its name says so. */
export function withChanges(recipe: Recipe, changes: RecipeChanges): Recipe {
  const changed: Record<string, unknown> = { ...recipe };
  const names = [recipe.name];
  for (const entry of entries as readonly AnyEntry[]) {
    const { name } = entry.flag;
    const change: unknown = (changes as Readonly<Record<string, unknown>>)[name];
    if (change === undefined) continue;
    changed[entry.key] = entry.changed(changed[entry.key], change);
    names.push(nameOf(name, change));
  }
  return { ...(changed as Recipe), name: names.join(' ') };
}

/** As on the command line: `no-equalize`, `ranges=percentile`. */
function nameOf(name: string, change: unknown): string {
  const flag = kebab(name);
  if (typeof change === 'string') return `${flag}=${change}`;
  return change === true ? flag : `no-${flag}`;
}

/** Names that `--recipe` takes besides a file. */
export const recipeNames = ['best', 'naive'] as const;

const recipes: Readonly<Record<(typeof recipeNames)[number], Recipe>> = {
  best: recipeSchema.parse({
    name: 'best',
    ...Object.fromEntries(entries.map(({ key, best }) => [key, best])),
  }),
  naive: recipeSchema.parse({ name: 'naive' }),
};

/**
 * The recipe of a name, or read from a JSON file.
 *
 * @throws UsageError for a name that is neither, and for a file that is not a recipe
 */
export function findRecipe(nameOrFile: string): Recipe {
  const known = recipeNames.find((name) => name === nameOrFile);
  if (known !== undefined) return recipes[known];
  if (!nameOrFile.endsWith('.json')) {
    throw new UsageError(
      'unknown-recipe',
      `--recipe ${nameOrFile}`,
      `expected ${recipeNames.join(', ')} or a .json file${didYouMean(nameOrFile, recipeNames)}`,
    );
  }
  return parseRecipe(readText(nameOrFile), nameOrFile);
}

/**
 * @param text JSON
 * @param where the file's name, for messages
 * @throws UsageError naming the key at fault
 */
export function parseRecipe(text: string, where: string): Recipe {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new UsageError('bad-recipe', where, `is not JSON: ${(error as Error).message}`);
  }
  const result = recipeSchema.safeParse(json);
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    (issue) => `${issue.path.length === 0 ? 'recipe' : issue.path.join('.')}: ${issue.message}`,
  );
  throw new UsageError('bad-recipe', where, problems.join('; '));
}

function readText(file: string): string {
  return readTextFile(file, (reason) => new UsageError('bad-recipe', file, reason));
}
