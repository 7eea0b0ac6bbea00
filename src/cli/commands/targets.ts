// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';

import { exitCodes, initTarget, listTargets, targetEvidence } from '../../index.js';
import { evidenceText, targetInitText, targetsText } from '../../report/index.js';
import { defineCommand } from '../command.js';
import { option, overwrite, target, text } from '../options.js';

export const targetsCommand = defineCommand({
  name: 'targets',
  summary: 'the arithmetic profiles and what proves them',
  positionals: ['target'],
  examples: [
    'lastbit targets',
    'lastbit targets tflm --format json',
    'lastbit targets --init npu.json --target pow2',
  ],
  options: {
    target,
    evidence: option(
      '--evidence',
      'which runtimes were executed beside the profiles, and how many values were compared',
      z.boolean().default(false),
    ),
    init: option(
      '--init <file>',
      "write a target of one's own to begin with (FILE.json), a copy of --target (default pow2)",
      text.optional(),
    ),
    overwrite,
  },
  run: (options, { print }) => {
    if (options.init !== undefined) {
      print(initTarget({ ...options, file: options.init }), targetInitText);
      return Promise.resolve(exitCodes.ok);
    }
    if (options.evidence) {
      print(targetEvidence(options), evidenceText);
      return Promise.resolve(exitCodes.ok);
    }
    print(listTargets(options), targetsText);
    return Promise.resolve(exitCodes.ok);
  },
});
