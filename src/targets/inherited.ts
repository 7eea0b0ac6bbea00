// SPDX-License-Identifier: Apache-2.0
// What a user's own target takes over from the profile that it extends, so that nobody inherits a
// rounding without knowing.
import type { Inherited, TargetSpec } from './target.js';

type Keyed = Readonly<Record<string, unknown>>;

/** Steps that round, and that a new rule for convolutions does not change. */
const rounded = ['add', 'averagePool', 'globalPool'] as const;

/**
 * @param own the user's file
 * @param base what it extends
 */
export function inheritedFrom(base: TargetSpec, own: Keyed): Inherited {
  const keysOf = (section: 'constraints' | 'arithmetic'): readonly string[] => {
    const given = asObject(own[section]);
    const keys = Object.entries(base[section])
      .filter(([key, value]) => value !== undefined && !Object.hasOwn(given, key))
      .map(([key]) => key);
    return Object.keys(given).length === 0 ? [section] : keys.map((key) => `${section}.${key}`);
  };
  return {
    from: base.id,
    keys: [...keysOf('constraints'), ...keysOf('arithmetic')],
    otherRounding: otherRounding(base, asObject(own.arithmetic)),
  };
}

/** Inherited steps whose rules are not the user's own rule for convolutions. */
function otherRounding(base: TargetSpec, given: Keyed): Inherited['otherRounding'] {
  const [rule] = rulesOf(given.code);
  if (rule === undefined) return [];
  return rounded
    .filter((step) => !Object.hasOwn(given, step))
    .map((step) => ({ step, rules: rulesOf(base.arithmetic[step]) }))
    .filter(({ rules }) => rules.length > 0 && rules.some((one) => one !== rule));
}

/** All values of a key `rule`, wherever they stand. */
function rulesOf(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(rulesOf);
  const entries = Object.entries(asObject(value));
  const found = entries.flatMap(([key, inner]) =>
    key === 'rule' && typeof inner === 'string' ? [inner] : rulesOf(inner),
  );
  return [...new Set(found)];
}

function asObject(value: unknown): Keyed {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Keyed)
    : {};
}
