// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';

import { benchModel, exitCodes } from '../../index.js';
import { benchText } from '../../report/index.js';
import { defineCommand } from '../command.js';
import {
  images,
  integer,
  limit,
  list,
  model,
  option,
  preprocessing,
  target,
  text,
  limits,
} from '../options.js';

export const benchCommand = defineCommand({
  name: 'bench',
  summary: 'time a quantized model and compare every value; --vs times others in turns with it',
  positionals: ['model'],
  examples: [
    'lastbit bench net.onnx',
    'lastbit bench net.onnx --float mobilenet.onnx --vs onnxruntime --threads 1',
  ],
  options: {
    model,
    target,
    threads: option('--threads <n>', 'threads of one run (default 1)', integer(1, 256).optional()),
    runs: option('--runs <n>', 'timed runs (default 200)', integer(1, 1_000_000).optional()),
    isa: option('--isa <tier>', 'greatest instruction set, such as avx2', text.optional()),
    vs: option('--vs <peers>', 'onnxruntime, onednn, litert, loops', list.optional()),
    float: option('--float <file>', 'the float original, for onnxruntime', text.optional()),
    verify: option(
      '--verify <executor>',
      'interpreter: compare with it as well',
      z.enum(['interpreter']).optional(),
    ),
    images,
    limit,
    ...preprocessing,
    seed: option('--seed <n>', 'of the random images (default 1)', integer(0, 2 ** 31).optional()),
    ...limits,
  },
  run: async (options, { print, warn, progress }) => {
    const document = await benchModel({ ...options, onProgress: progress });
    print(document, benchText);
    if (!document.machine.quiet) warn('[bench] this machine is busy; times are unreliable');
    return document.exact.differing === 0 ? exitCodes.ok : exitCodes.checkFailed;
  },
});
