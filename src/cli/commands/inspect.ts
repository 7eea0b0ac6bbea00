// SPDX-License-Identifier: Apache-2.0
import { exitCodes, inspectModel } from '../../index.js';
import { inspectText } from '../../report/index.js';
import { defineCommand } from '../command.js';
import { model } from '../options.js';

export const inspectCommand = defineCommand({
  name: 'inspect',
  summary: 'what is in a model, and every node that is not supported',
  positionals: ['model'],
  options: { model },
  run: async (options, { print, warn }) => {
    const document = await inspectModel(options);
    print(document, inspectText);
    const { length } = document.unsupported;
    if (length === 0) return exitCodes.ok;
    warn(`[unsupported] ${options.model}: ${length} of its nodes cannot be imported, see the list`);
    return exitCodes.model;
  },
});
