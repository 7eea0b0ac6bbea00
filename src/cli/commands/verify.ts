// SPDX-License-Identifier: Apache-2.0
import { exitCodes, verifyVectors } from '../../index.js';
import { verifyText } from '../../report/index.js';
import { defineCommand } from '../command.js';
import { option, text, threads, limits } from '../options.js';

export const verifyCommand = defineCommand({
  name: 'verify',
  summary: 'run golden vectors again and compare every hash',
  positionals: ['manifest'],
  examples: ['lastbit verify vectors/manifest.json'],
  options: {
    manifest: option('--manifest <file>', 'manifest.json of `golden`, or its folder', text),
    model: option(
      '-m, --model <file>',
      'the model again, to see that it still becomes the same program',
      text.optional(),
    ),
    threads,
    ...limits,
  },
  run: async (options, { print, progress }) => {
    const document = await verifyVectors({ ...options, onProgress: progress });
    print(document, verifyText);
    return document.ok ? exitCodes.ok : exitCodes.checkFailed;
  },
});
