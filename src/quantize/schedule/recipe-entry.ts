// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';

/** A recipe as its steps see it: each looks up its own key. */
export type RecipeValues = Readonly<Record<string, unknown>>;

/** The option of the command line that changes a recipe's key. */
export interface RecipeFlag<Name extends string, Change> {
  /** In camelCase, as config files and `RecipeChanges` have it. */
  readonly name: Name;
  /** Commander's notation: `--ranges <method>`; without `<>` it is a switch. */
  readonly flags: string;
  readonly description: string;
  readonly schema: z.ZodOptional<z.ZodType<Change>>;
}

/**
 * One key of a recipe, described once: its JSON, its value in the recipe `best`, when the step that
 * it belongs to is on, and its option on the command line.
 */
export interface RecipeEntry<
  Key extends string,
  Schema extends z.ZodType,
  Settings,
  Name extends string,
  Change,
> {
  readonly key: Key;
  /** Completes what users write: its default is the step left out. */
  readonly schema: Schema;
  /** As the recipe `best` has it, before defaults. */
  readonly best: z.input<Schema>;
  readonly flag: RecipeFlag<Name, Change>;
  /** Named after all others, in lists of options and in names of changed recipes. */
  readonly listedLast?: boolean;
  /** What the step runs with, `false` where the recipe leaves it out. */
  readonly settingsIn: (recipe: RecipeValues) => false | Settings;
  /** The key's value with the option's value made good. */
  changed(value: z.output<Schema>, change: Change): z.output<Schema>;
}

/** Any entry, where its types do not matter. */
export type AnyEntry = RecipeEntry<string, z.ZodType, unknown, string, unknown>;

interface Described<Key extends string, Schema extends z.ZodType, Name extends string, Change> {
  readonly key: Key;
  readonly schema: Schema;
  readonly best: z.input<Schema>;
  readonly flag: RecipeFlag<Name, Change>;
  readonly changed: (value: z.output<Schema>, change: Change) => z.output<Schema>;
  readonly listedLast?: boolean;
}

/** An entry whose value says itself what the step runs with. */
export function recipeEntry<
  Key extends string,
  Schema extends z.ZodType,
  Settings,
  Name extends string,
  Change,
>(
  described: Described<Key, Schema, Name, Change>,
  settingsOf: (value: z.output<Schema>) => false | Settings,
): RecipeEntry<Key, Schema, Settings, Name, Change> {
  return {
    ...described,
    // The recipe was parsed by a schema that has this entry's at this key (recipe.ts).
    settingsIn: (recipe) => settingsOf(recipe[described.key] as z.output<Schema>),
  };
}

/** A step that is on or off and has no settings: `true` or `false`. */
export function switchEntry<Key extends string>({
  description,
  ...described
}: {
  readonly key: Key;
  readonly best: boolean;
  readonly description: string;
  readonly listedLast?: boolean;
}) {
  return recipeEntry(
    {
      ...described,
      schema: z.boolean().default(false),
      flag: switchFlag(described.key, description),
      changed: (_, change: boolean) => change,
    },
    (value) => value && {},
  );
}

/**
 * A step with settings: `false`, or an object of them. The option keeps the settings that a step
 * has, and takes the defaults where it was off.
 */
export function settingsEntry<Key extends string, Settings extends object, Written>({
  settings,
  description,
  ...described
}: {
  readonly key: Key;
  readonly settings: z.ZodType<Settings, Written>;
  readonly best: false | Written;
  readonly description: string;
}) {
  type Value = false | Settings;
  const schema = z.union([z.literal(false), settings]).default(false as never) as unknown;
  return recipeEntry(
    {
      ...described,
      schema: schema as z.ZodType<Value, false | Written | undefined>,
      flag: switchFlag(described.key, description),
      changed: (value: Value, change: boolean): Value => {
        if (!change) return false;
        return value === false ? settings.parse({}) : value;
      },
    },
    (value): Value => value,
  );
}

/** `--absorb-bias` and `--no-absorb-bias` for `absorbBias`. */
function switchFlag<Name extends string>(
  name: Name,
  description: string,
): RecipeFlag<Name, boolean> {
  return { name, flags: `--${kebab(name)}`, description, schema: z.boolean().optional() };
}

/** `absorbBias` to `absorb-bias`. */
export function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
