// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';

import { exitCodes, listTargets, targetEvidence } from '../../index.js';
import { evidenceText, targetsText } from '../../report/index.js';
import { defineCommand } from '../command.js';
import { option, target } from '../options.js';

export const targetsCommand = defineCommand({
  name: 'targets',
  summary: 'the arithmetic profiles and what proves them',
  positionals: ['target'],
  examples: ['lastbit targets', 'lastbit targets tflm --format json'],
  options: {
    target,
    evidence: option(
      '--evidence',
      'which runtimes were executed beside the profiles, and how many values were compared',
      z.boolean().default(false),
    ),
  },
  run: (options, { print }) => {
    if (options.evidence) {
      print(targetEvidence(options), evidenceText);
      return Promise.resolve(exitCodes.ok);
    }
    print(listTargets(options), targetsText);
    return Promise.resolve(exitCodes.ok);
  },
});
