// SPDX-License-Identifier: Apache-2.0
import type { CompletedCommand, CompletedFlag } from './tables.js';

/** A script that zsh reads, by `eval` or as a file `_lastbit` in its fpath. */
export function zshCompletion(commands: readonly CompletedCommand[]): string {
  return `#compdef lastbit
# zsh completion of lastbit; in ~/.zshrc, after compinit: eval "$(lastbit completion zsh)"
_lastbit() {
  local -a commands
  commands=(
${commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}\n`).join('')}  )
  if (( CURRENT == 2 )); then
    _describe -t commands command commands
    return
  fi
  shift words
  (( CURRENT-- ))
  case $words[1] in
${commands.map(commandCase).join('')}  esac
}
if [ "$funcstack[1]" = _lastbit ]; then
  _lastbit "$@"
else
  compdef _lastbit lastbit
fi
`;
}

function commandCase({ name, flags, words }: CompletedCommand): string {
  const rest = words.length === 0 ? `'*:file:_files'` : `'1:${name}:(${words.join(' ')})'`;
  const lines = [...flags.map(flagSpec), rest];
  return `    ${name}) _arguments ${lines.join(' \\\n      ')} ;;\n`;
}

/** In the notation of _arguments: `{-m,--model}'[description]:what:how'`. */
function flagSpec({ long, short, description, takes }: CompletedFlag): string {
  const text = `[${description.replaceAll(/[[\]\\]/g, (c) => `\\${c}`)}]`;
  const value =
    typeof takes === 'string'
      ? takes === 'files'
        ? `:${long}:_files`
        : ''
      : `:${long}:(${takes.join(' ')})`;
  const spelled = short === undefined ? quoted(`--${long}`) : `{-${short},--${long}}`;
  return `${spelled}${quoted(`${text}${value}`)}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
