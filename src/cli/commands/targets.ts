// SPDX-License-Identifier: Apache-2.0
import { exitCodes, listTargets } from '../../index.js';
import { targetsText } from '../../report/index.js';
import { defineCommand } from '../command.js';
import { target } from '../options.js';

export const targetsCommand = defineCommand({
  name: 'targets',
  summary: 'the arithmetic profiles and what proves them',
  positionals: ['target'],
  options: { target },
  run: (options, { print }) => {
    print(listTargets(options), targetsText);
    return Promise.resolve(exitCodes.ok);
  },
});
