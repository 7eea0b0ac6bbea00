// SPDX-License-Identifier: Apache-2.0
import type { ExitCode } from '../errors.js';
import type { everywhere, OptionSpecs, OptionValues } from './options.js';
import type { ProgressListener } from '../index.js';
import type { Printer } from './printer.js';

/** What a command may do besides computing. */
export interface CommandContext {
  readonly progress: ProgressListener;
  /** Prints a document: JSON, or the text that `human` makes of it. */
  readonly print: Printer['document'];
  /** A line or lines on standard error in human mode, made from a document. */
  readonly note: Printer['note'];
  /** A line on standard error in any mode. */
  readonly warn: Printer['warn'];
  /** The resolved options as a config file that repeats this run. */
  readonly resolvedConfig: string;
}

export interface CommandSpec<Specs extends OptionSpecs = OptionSpecs> {
  readonly name: string;
  readonly summary: string;
  /** Names of options that also stand without a flag, in order. */
  readonly positionals: readonly (keyof Specs & string)[];
  /** Name of the option that takes all further arguments. */
  readonly rest?: keyof Specs & string;
  /** Whole command lines, as `--help` shows them. */
  readonly examples: readonly string[];
  readonly options: Specs;
  readonly run: (
    options: OptionValues<Specs & typeof everywhere>,
    context: CommandContext,
  ) => Promise<ExitCode>;
}

/** Ties the options of a command to the type that its `run` receives. */
export function defineCommand<const Specs extends OptionSpecs>(
  spec: CommandSpec<Specs>,
): CommandSpec {
  return spec as unknown as CommandSpec;
}
