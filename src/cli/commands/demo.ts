// SPDX-License-Identifier: Apache-2.0
import { exitCodes, runDemo } from '../../index.js';
import { demoText } from '../../report/index.js';
import { defineCommand } from '../command.js';
import { target, threads } from '../options.js';

export const demoCommand = defineCommand({
  name: 'demo',
  summary: 'the main job on the networks and images that come with lastbit',
  positionals: [],
  examples: ['lastbit demo'],
  options: { target, threads },
  run: async (options, { print, progress }) => {
    print(await runDemo({ ...options, onProgress: progress }), demoText);
    return exitCodes.ok;
  },
});
