// SPDX-License-Identifier: Apache-2.0
// The scripts of `lastbit completion`, read by the shells themselves.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commands } from '../../src/cli/commands/index.js';
import { optionsOf } from '../../src/cli/config.js';
import { runCli } from '../../src/cli/run-cli.js';

const folder = mkdtempSync(join(tmpdir(), 'lastbit-completion-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** The script as a file. */
async function scriptOf(shell: string): Promise<string> {
  let script = '';
  const code = await runCli(['completion', shell], {
    interactive: false,
    out: (text) => (script += text),
    err: () => undefined,
  });
  expect(code).toBe(0);
  const file = join(folder, shell);
  writeFileSync(file, script);
  return file;
}

const has = (shell: string): boolean => spawnSync(shell, ['--version']).status === 0;
const testIn = (shell: string) => (has(shell) ? test : test.skip);

/** What can follow a line, and what is offered then. */
const cases: readonly (readonly [line: string, offered: readonly string[]])[] = [
  ['lastbit qu', ['quantize']],
  ['lastbit compa', ['compare', 'compare-dump']],
  ['lastbit quantize --reco', ['--reconstruct']],
  ['lastbit convert --form q', ['qdq', 'qop']],
  ['lastbit run --target tflite-b', ['tflite-builtin', 'tflite-builtin-arm', 'tflite-builtin-x86']],
  ['lastbit completion z', ['zsh']],
];

testIn('bash')('bash offers commands, flags and values', async () => {
  const script = await scriptOf('bash');
  const complete = (line: string): string[] => {
    const program = `source '${script}'; COMP_WORDS=(${line}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _lastbit
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    const output = execFileSync('bash', ['--norc', '-c', program], { encoding: 'utf8' });
    return output.split('\n').filter((word) => word !== '');
  };
  for (const [line, offered] of cases) {
    expect([line, complete(line).sort()]).toEqual([line, offered]);
  }
  // Every flag of every command, so that none is lost on the way.
  for (const command of commands) {
    const flags = Object.values(optionsOf(command)).map(({ flags }) => /--[a-z-]+/.exec(flags)![0]);
    expect(complete(`lastbit ${command.name} -`).sort()).toEqual([...flags].sort());
  }
  expect(complete('lastbit run mod')).toEqual([]); // bash itself then offers files
});

testIn('fish')('fish offers commands, flags and values', async () => {
  const script = await scriptOf('fish');
  for (const [line, offered] of cases) {
    const program = `source '${script}'; complete -C '${line}'`;
    const output = execFileSync('fish', ['--no-config', '-c', program], { encoding: 'utf8' });
    const words = output.split('\n').map((text) => text.split('\t')[0]);
    expect([line, words.filter((word) => word !== '').sort()]).toEqual([line, offered]);
  }
});

testIn('zsh')('zsh completes what is the only choice, on a terminal of its own', async () => {
  const script = await scriptOf('zsh');
  // A line is typed, then Tab; what the shell makes of it is read back from the screen.
  const program = `
    zmodload zsh/zpty
    zpty shell zsh -f -i
    zpty -w shell "PS1=; autoload -Uz compinit; compinit -u -D; source $1; bindkey '^I' complete-word; print READY"
    zpty -r -m shell screen '*READY*READY*'
    zpty -w -n shell "$2"$'\\t'
    zpty -r -m shell screen "*$3*" && print -r -- found`;
  const unique = cases.filter(([, offered]) => offered.length === 1);
  for (const [line, [word]] of unique) {
    const args = ['-f', '-c', program, 'zsh', script, line, word!];
    expect(execFileSync('zsh', args, { encoding: 'utf8', timeout: 60_000 })).toBe('found\n');
  }
});
