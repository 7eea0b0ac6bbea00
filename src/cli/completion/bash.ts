// SPDX-License-Identifier: Apache-2.0
import type { CompletedCommand } from './tables.js';

/** A script that bash reads: `eval "$(lastbit completion bash)"`. Where it knows no word, files are offered. */
export function bashCompletion(commands: readonly CompletedCommand[]): string {
  const names = commands.map(({ name }) => name).join(' ');
  return `# bash completion of lastbit; in ~/.bashrc: eval "$(lastbit completion bash)"
_lastbit() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  local command=\${COMP_WORDS[1]} words=
  if [ "$COMP_CWORD" = 1 ]; then
    words='${names}'
  else
    case "$command $previous" in
${valueCases(commands).join('')}    *)
      case "$current" in
      -*)
        case "$command" in
${commands.map(flagCase).join('')}        esac
        ;;
      *)
        case "$command" in
${commands
  .filter(({ words }) => words.length > 0)
  .map(wordCase)
  .join('')}        esac
        ;;
      esac
      ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _lastbit lastbit
`;
}

/** After a flag that takes one of some words; flags that take the same are one case. */
function valueCases(commands: readonly CompletedCommand[]): string[] {
  const patterns = new Map<string, string[]>();
  for (const { name, flags } of commands) {
    for (const { long, short, takes } of flags) {
      if (typeof takes === 'string') continue;
      const words = takes.join(' ');
      const spelled = [`--${long}`, ...(short === undefined ? [] : [`-${short}`])];
      const more = spelled.map((flag) => `'${name} ${flag}'`);
      patterns.set(words, [...(patterns.get(words) ?? []), ...more]);
    }
  }
  return [...patterns].map(([words, which]) => `    ${which.join(' | ')}) words='${words}' ;;\n`);
}

function flagCase({ name, flags }: CompletedCommand): string {
  return `        ${name}) words='${flags.map(({ long }) => `--${long}`).join(' ')}' ;;\n`;
}

function wordCase({ name, words }: CompletedCommand): string {
  return `        ${name}) words='${words.join(' ')}' ;;\n`;
}
