// SPDX-License-Identifier: Apache-2.0
import type { CompletedCommand, CompletedFlag } from './tables.js';

/** A script that fish reads: `lastbit completion fish | source`. */
export function fishCompletion(commands: readonly CompletedCommand[]): string {
  const lines = commands.flatMap((command) => [
    `complete -c lastbit -n __fish_use_subcommand -f -a ${command.name} -d ${quoted(command.summary)}`,
    ...wordLines(command),
    ...command.flags.map((flag) => flagLine(command.name, flag)),
  ]);
  return `# fish completion of lastbit; in ~/.config/fish/config.fish: lastbit completion fish | source\n${lines.join('\n')}\n`;
}

function wordLines({ name, words }: CompletedCommand): string[] {
  return words.length === 0 ? [] : [`${under(name)} -f -a ${quoted(words.join(' '))}`];
}

/** `-x`: a value and no files; `-r`: a value, which may be a file. */
function flagLine(command: string, { long, short, description, takes }: CompletedFlag): string {
  const spelled = `-l ${long}${short === undefined ? '' : ` -s ${short}`}`;
  const value =
    typeof takes === 'string'
      ? takes === 'files'
        ? ' -r'
        : ''
      : ` -x -a ${quoted(takes.join(' '))}`;
  return `${under(command)} ${spelled}${value} -d ${quoted(description)}`;
}

function under(command: string): string {
  return `complete -c lastbit -n '__fish_seen_subcommand_from ${command}'`;
}

function quoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, (c) => `\\${c}`)}'`;
}
