// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';

import { exitCodes, reportResults } from '../../index.js';
import { reportText } from '../../report/index.js';
import { defineCommand } from '../command.js';
import { list, option, overwrite, text } from '../options.js';

export const reportCommand = defineCommand({
  name: 'report',
  summary: 'one self-contained page from the JSON documents of other commands',
  positionals: [],
  rest: 'results',
  examples: ['lastbit report analyze.json compare.json -o report.html'],
  options: {
    results: option('--results <files>', 'documents that --format json printed', list),
    output: option('-o, --output <file>', 'the page, .html', text),
    severalNetworks: option(
      '--several-networks',
      'results of different networks, a chapter each',
      z.boolean().optional(),
    ),
    plots: option('--plots <dir>', 'write each chart as .svg and .png', text.optional()),
    spec: option(
      '--spec',
      "with --plots: each chart's Vega-Lite specification as well",
      z.boolean().optional(),
    ),
    overwrite,
  },
  run: async (options, { print, progress }) => {
    print(await reportResults({ ...options, onProgress: progress }), reportText);
    return exitCodes.ok;
  },
});
