// SPDX-License-Identifier: Apache-2.0
import { Command, CommanderError, Option } from 'commander';

import { escapeControls, exitCodes, type ExitCode, LastbitError, UsageError } from '../errors.js';
import { version } from '../index.js';
import { schemaVersion } from '../report/index.js';
import type { CommandContext, CommandSpec } from './command.js';
import { commands } from './commands/index.js';
import type { RawValues } from './config.js';
import { optionsOf, readConfig, resolveOptions } from './config.js';
import { printerTo, safeTerminal } from './printer.js';
import type { Terminal } from './terminal.js';
import { progressBars } from './terminal.js';

/**
 * Runs one command line.
 * @param args without the interpreter and the script
 * @returns the exit code; errors have been printed, one line on standard error
 */
export async function runCli(args: readonly string[], given: Terminal): Promise<number> {
  const terminal = safeTerminal(given);
  let code: number = exitCodes.ok;
  const root = new Command('lastbit')
    .description('Runs MobileNets exactly as fixed-point hardware will, to the last bit.')
    .version(version)
    .exitOverride()
    .configureOutput({
      writeOut: (help) => {
        terminal.out(help);
      },
      // Errors are thrown and printed below; only help asked for by mistake comes this way.
      writeErr: () => undefined,
      outputError: () => undefined,
    });
  for (const command of commands) {
    root.addCommand(
      commanderOf(command, root, async (given) => {
        code = await runCommand(command, given, terminal);
      }),
    );
  }
  try {
    if (args.length === 0) {
      terminal.err(root.helpInformation());
      return exitCodes.usage;
    }
    await root.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    const failure = failureOf(error);
    if (failure !== undefined) {
      terminal.err(wantsJson(args) ? failureJson(failure) : failureText(failure));
      const verbose = args.includes('-v') || args.includes('--verbose');
      if (verbose && error instanceof Error && !(error instanceof CommanderError)) {
        terminal.err(`${error.stack ?? ''}\n`);
      }
    }
    return failure?.exitCode ?? exitCodes.ok;
  }
}

function commanderOf(
  command: CommandSpec,
  root: Command,
  run: (given: RawValues) => Promise<void>,
): Command {
  const built = new Command(command.name)
    .description(command.summary)
    .copyInheritedSettings(root)
    .allowExcessArguments(false)
    .showSuggestionAfterError();
  for (const name of command.positionals) built.argument(`[${name}]`);
  if (command.rest !== undefined) built.argument(`[${command.rest}...]`);
  for (const { flags, description } of Object.values(optionsOf(command))) {
    built.addOption(new Option(flags, description));
    const isSwitch = !flags.includes('<');
    const long = /--([a-z-]+)/.exec(flags)![1]!;
    if (isSwitch) built.addOption(new Option(`--no-${long}`).hideHelp());
  }
  built.addHelpText('after', helpTail(command));
  built.action(async () => {
    const positionals = argumentsOf(command, built.args);
    const named = built.opts<RawValues>();
    for (const [name, value] of positionals) {
      if (value === undefined || named[name] === undefined) continue;
      const shown = typeof value === 'string' ? value : value.join(' ');
      throw new UsageError('given-twice', name, `"${shown}" as an argument and with a flag`);
    }
    const explicit = Object.entries(named).filter(
      ([name]) => built.getOptionValueSource(name) === 'cli',
    );
    const known = positionals.filter(([, value]) => value !== undefined);
    await run(Object.fromEntries([...known, ...explicit]));
  });
  return built;
}

const exitCodeWords =
  '0 done, 1 a check failed, 2 usage, 3 bad model or data, 4 over a limit, 70 a bug in lastbit';

function helpTail({ examples }: CommandSpec): string {
  const lines = examples.map((example) => `  ${example}\n`);
  return `\nExamples:\n${lines.join('')}\nExit codes: ${exitCodeWords}`;
}

/** Arguments by the name of their option; those of `rest` as a list. */
function argumentsOf({ positionals, rest }: CommandSpec, given: readonly string[]) {
  const single = positionals.map((name, i) => [name, given[i]] as const);
  const more = given.slice(positionals.length);
  return rest === undefined || more.length === 0 ? single : [...single, [rest, more] as const];
}

async function runCommand(
  command: CommandSpec,
  given: RawValues,
  terminal: Terminal,
): Promise<number> {
  const file = given.config;
  const config = typeof file === 'string' ? readConfig(file, command, commands) : {};
  const options = resolveOptions(command, { ...config, ...given }) as Parameters<
    CommandSpec['run']
  >[0];
  const json = options.format === 'json';
  const bars = progressBars(terminal);
  const origin = { kind: command.name, version, options: repeatable(options) };
  const printer = printerTo(terminal, json, origin);
  const context: CommandContext = {
    progress: bars.report,
    print: (document, human) => {
      bars.stop();
      printer.document(document, human);
    },
    note: (document, human) => {
      bars.stop();
      printer.note(document, human);
    },
    warn: (text) => {
      bars.stop();
      printer.warn(text);
    },
    resolvedConfig: resolvedConfig(command, options),
  };
  try {
    return await command.run(options, context);
  } finally {
    bars.stop();
  }
}

/**
 * What a repeated run must not carry along: where the options came from, leave to replace files, and an
 * address that may hold a password.
 */
const neverKept: ReadonlySet<string> = new Set(['config', 'overwrite', 'resume', 'queue']);

/** How this run can be repeated. */
function repeatable(options: RawValues): RawValues {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !neverKept.has(name)));
}

function resolvedConfig(command: CommandSpec, options: RawValues): string {
  return JSON.stringify({ [command.name]: repeatable(options) }, undefined, 2) + '\n';
}

/** An error as it is printed. */
interface Failure {
  readonly code: string;
  readonly where: string;
  readonly detail: string;
  readonly exitCode: ExitCode;
}

/** Nothing where commander only ends the command line, as behind `--help`. */
function failureOf(error: unknown): Failure | undefined {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return undefined;
    const code = error.code
      .replace('commander.', '')
      .replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
    const detail = oneLine(error.message.replace(/^error: /, ''));
    return { code, where: 'command line', detail, exitCode: exitCodes.usage };
  }
  if (error instanceof LastbitError) {
    const { code, where, detail, exitCode } = error;
    return { code, where, detail, exitCode };
  }
  const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const detail = `${oneLine(reason)}; this is a bug in lastbit, -v shows where`;
  return { code: 'internal', where: 'lastbit', detail, exitCode: exitCodes.bug };
}

function failureText({ code, where, detail }: Failure): string {
  return `error [${code}] ${escapeControls(where === '' ? detail : `${where}: ${detail}`)}\n`;
}

/** One line, so that a script can take the last one of standard error. */
function failureJson({ code, where, detail, exitCode }: Failure): string {
  const origin = { schemaVersion, kind: 'error', version };
  return `${JSON.stringify({ ...origin, code, where, detail, exitCode })}\n`;
}

/** Asked for on the command line itself: what is wrong may be the rest of it. */
function wantsJson(args: readonly string[]): boolean {
  return args.some(
    (arg, i) => arg === '--format=json' || (arg === '--format' && args[i + 1] === 'json'),
  );
}

function oneLine(message: string): string {
  return message.trim().replace(/\s*\n\s*/g, '; ');
}
