// SPDX-License-Identifier: Apache-2.0
// A file to begin a target of one's own with: a built-in profile, whole, each part with a `description` of
// its keys. The words are those of the JSON Schema, so that they are written once.
import type { TargetSpec } from './target.js';
import { wholeTargetJsonSchema } from './user-target.js';

interface JsonSchema {
  readonly description?: string;
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly oneOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
}

/**
 * @param id of the new target, `npu@1`
 * @param schemaFile what `$schema` points to
 */
export function startingPoint(base: TargetSpec, id: string, schemaFile: string): object {
  const { constraints, arithmetic, limits } = base;
  const whole = {
    $schema: schemaFile,
    description: `Begun as a copy of ${base.id}. Change what your chip does otherwise. For a short file leave away what it shares with ${base.id} and add "extends": "${base.aliases[0] ?? base.id}". A "description" may stand in any object; lastbit ignores it.`,
    id,
    summary: 'say in one line what it is',
    source: 'say where its arithmetic is written: document, version, page',
    constraints,
    ...(limits === undefined ? {} : { limits }),
    arithmetic,
  };
  const { description, ...rest } = described(whole, wholeTargetJsonSchema());
  return { $schema: rest.$schema, description, ...rest };
}

type Keyed = Readonly<Record<string, unknown>>;

/** The same value; objects whose keys the schema describes say what these mean. */
function described(value: Keyed, schema: JsonSchema): Keyed {
  const { properties = {} } = variantFor(value, schema);
  const { description } = schema;
  const keys = Object.keys(value).flatMap((key) => {
    const words = Object.hasOwn(properties, key) ? properties[key]!.description : undefined;
    return words === undefined || isObject(value[key]) ? [] : [`${key}: ${words}`];
  });
  const text = [...(description === undefined ? [] : [description]), ...keys].join('; ');
  const inner = Object.entries(value)
    .filter(([, part]) => part !== undefined)
    .map(([key, part]) => {
      const known = Object.hasOwn(properties, key) ? properties[key]! : {};
      return [key, isObject(part) ? described(part, known) : part] as const;
    });
  return { ...(text === '' ? {} : { description: text }), ...Object.fromEntries(inner) };
}

/** Of a union the alternative with the value's `kind`. */
function variantFor(value: Keyed, schema: JsonSchema): JsonSchema {
  const variants = schema.oneOf ?? schema.anyOf ?? [];
  return variants.find(({ properties }) => properties?.kind?.const === value.kind) ?? schema;
}

function isObject(value: unknown): value is Keyed {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
