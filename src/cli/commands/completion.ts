// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { exitCodes } from '../../index.js';
import { type CommandSpec, defineCommand } from '../command.js';
import { bashCompletion } from '../completion/bash.js';
import { fishCompletion } from '../completion/fish.js';
import { completedCommands } from '../completion/tables.js';
import { zshCompletion } from '../completion/zsh.js';
import { option } from '../options.js';

const scripts = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;

const shells = ['bash', 'zsh', 'fish'] as const;

/** @param commands all of them, this one too: asked for when the command runs */
export function completionCommandOf(commands: () => readonly CommandSpec[]): CommandSpec {
  return defineCommand({
    name: 'completion',
    summary: 'a script that completes commands, flags and their values: bash, zsh, fish',
    positionals: ['shell'],
    examples: ['lastbit completion bash > lastbit.bash'],
    options: { shell: option('--shell <name>', 'bash, zsh or fish', z.enum(shells)) },
    run: ({ shell }, { print }) => {
      // A document's strings have no line breaks on their way to a terminal.
      const lines = scripts[shell](completedCommands(commands())).trimEnd().split('\n');
      print({ shell, lines }, ({ lines }) => `${lines.join('\n')}\n`);
      return Promise.resolve(exitCodes.ok);
    },
  });
}
