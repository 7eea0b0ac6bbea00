// SPDX-License-Identifier: Apache-2.0
// What shells can complete, read from the tables that the command line itself is built from.
import { z } from 'zod';
import { listTargets } from '../../index.js';
import type { CommandSpec } from '../command.js';
import { optionsOf } from '../config.js';
import type { OptionSpec } from '../options.js';

/** A flag as it is typed. */
export interface CompletedFlag {
  readonly long: string;
  readonly short?: string;
  readonly description: string;
  /** What the flag takes: words to choose from, files, or nothing for a switch. */
  readonly takes: readonly string[] | 'files' | 'nothing';
}

/** A command with its flags. */
export interface CompletedCommand {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly CompletedFlag[];
  /** Words that its first argument can be; without any, files. */
  readonly words: readonly string[];
}

/** Commands and flags in the order of the help text. */
export function completedCommands(commands: readonly CommandSpec[]): readonly CompletedCommand[] {
  return commands.map((command) => {
    const options = optionsOf(command);
    const [first] = command.positionals;
    return {
      name: command.name,
      summary: command.summary,
      flags: Object.entries(options).map(([name, option]) => flagOf(name, option)),
      words: first === undefined ? [] : choicesOf(first, options[first]!),
    };
  });
}

function flagOf(name: string, option: OptionSpec): CompletedFlag {
  const { flags, description } = option;
  const long = /--([a-z0-9-]+)/.exec(flags)![1]!;
  const short = /^-([a-zA-Z])\b/.exec(flags)?.[1];
  return {
    long,
    ...(short === undefined ? {} : { short }),
    description,
    takes: takenBy(name, option),
  };
}

function takenBy(name: string, option: OptionSpec): CompletedFlag['takes'] {
  if (!option.flags.includes('<')) return 'nothing';
  const choices = choicesOf(name, option);
  return choices.length > 0 ? choices : 'files';
}

/** The values that an option's schema lists; of targets, those that there are. */
function choicesOf(name: string, { schema }: OptionSpec): readonly string[] {
  if (name === 'target') return targetNames();
  const { enum: values = [] } = z.toJSONSchema(schema, { unrepresentable: 'any', io: 'input' });
  return values.filter((value) => typeof value === 'string');
}

/** Bare names: bash breaks words at the "@" of full ids. */
function targetNames(): readonly string[] {
  return listTargets().targets.flatMap(({ aliases }) => aliases);
}
