// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';

import { analyzeModel, exitCodes } from '../../index.js';
import { analyzeText, preprocessText } from '../../report/index.js';
import { defineCommand } from '../command.js';
import { images, limit, model, option, preprocessing, threads, limits } from '../options.js';

export const analyzeCommand = defineCommand({
  name: 'analyze',
  summary: 'why a float model will quantize well or badly, layer by layer',
  positionals: ['model'],
  examples: [
    'lastbit analyze mobilenet.onnx --images photos',
    'lastbit analyze mobilenet.onnx --images photos --format json > analyze.json',
  ],
  options: {
    model,
    images,
    dataFree: option(
      '--data-free',
      'no images: activations as the batch norms describe them',
      z.boolean().default(false),
    ),
    limit,
    ...preprocessing,
    threads,
    ...limits,
  },
  run: async (options, { print, note, progress }) => {
    const document = await analyzeModel({ ...options, onProgress: progress });
    if (document.seenBy === 'images') note(document, preprocessText);
    print(document, analyzeText);
    return exitCodes.ok;
  },
});
