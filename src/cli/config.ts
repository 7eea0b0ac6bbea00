// SPDX-License-Identifier: Apache-2.0
// Where the value of an option comes from: the command line, else the command's section of the
// config file, else the top of the config file, else the schema's default.

import { z } from 'zod';

import { didYouMean, UsageError } from '../errors.js';
import { readTextFile } from '../limits/read-file.js';
import type { CommandSpec } from './command.js';
import { everywhere } from './options.js';

export type RawValues = Readonly<Record<string, unknown>>;

/** All options of a command, with the ones that every command has. */
export function optionsOf(command: CommandSpec): CommandSpec['options'] {
  return { ...command.options, ...everywhere };
}

/**
 * Reads the values that a config file has for a command. Keys are flags in camelCase or
 * kebab-case, or the name of a command with an object of such keys.
 * @throws UsageError `no-such-file`, `bad-config`, `unknown-key`
 */
export function readConfig(
  file: string,
  command: CommandSpec,
  commands: readonly CommandSpec[],
): RawValues {
  const values = parseObject(file);
  const shared: Record<string, unknown> = {};
  let own: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(values)) {
    const section = commands.find(({ name }) => name === key);
    if (section) {
      const checked = keysOf(
        section,
        `${file}: "${key}"`,
        z.record(z.string(), z.unknown()),
        value,
      );
      if (section === command) own = checked;
      continue;
    }
    const name = toCamel(key);
    if (!commands.some((other) => Object.hasOwn(optionsOf(other), name))) {
      throw unknownKey(
        file,
        key,
        commands.flatMap((other) => Object.keys(optionsOf(other))),
      );
    }
    if (Object.hasOwn(optionsOf(command), name)) shared[name] = value;
  }
  return { ...shared, ...own };
}

/**
 * Checks and completes the values of a command.
 * @throws UsageError `bad-value`, `missing-option`
 */
export function resolveOptions(command: CommandSpec, given: RawValues): RawValues {
  const specs = optionsOf(command);
  const schema = z.strictObject(
    Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, spec.schema])),
  );
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const name = String(issue!.path[0] ?? '');
  const flag = labelOf(command, name);
  if (given[name] === undefined) {
    const also = [...command.positionals, command.rest].includes(name)
      ? ` or ${name.toUpperCase()} as an argument`
      : '';
    throw new UsageError(
      'missing-option',
      `lastbit ${command.name}`,
      `needs ${flag}${also}; see lastbit ${command.name} --help`,
    );
  }
  throw new UsageError('bad-value', flag, `${JSON.stringify(given[name])}: ${issue!.message}`);
}

/** `labelOffset` to `--label-offset`. */
function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function labelOf(command: CommandSpec, name: string): string {
  return Object.hasOwn(optionsOf(command), name) ? flagOf(name) : `"${name}"`;
}

function toCamel(key: string): string {
  return key.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function keysOf(
  command: CommandSpec,
  where: string,
  schema: z.ZodType<Record<string, unknown>>,
  value: unknown,
): Record<string, unknown> {
  const section = schema.safeParse(value);
  if (!section.success) throw new UsageError('bad-config', where, 'expected an object of options');
  const specs = optionsOf(command);
  return Object.fromEntries(
    Object.entries(section.data).map(([key, entry]) => {
      const name = toCamel(key);
      if (!Object.hasOwn(specs, name)) throw unknownKey(where, key, Object.keys(specs));
      return [name, entry];
    }),
  );
}

function unknownKey(where: string, key: string, known: readonly string[]): UsageError {
  const names = [...new Set(known)].sort();
  return new UsageError(
    'unknown-key',
    where,
    `"${key}" is not an option${didYouMean(key, names)}; known are ${names.join(', ')}`,
  );
}

function parseObject(file: string): Record<string, unknown> {
  const content = readTextFile(
    file,
    (reason) => new UsageError('no-such-file', file, `the config file cannot be read: ${reason}`),
  );
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (error) {
    const reason = error instanceof Error ? error.message : '';
    throw new UsageError('bad-config', file, `not JSON: ${reason}`);
  }
  const result = z.record(z.string(), z.unknown()).safeParse(value);
  if (result.success) return result.data;
  throw new UsageError('bad-config', file, 'expected a JSON object of options');
}
