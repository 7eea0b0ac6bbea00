// SPDX-License-Identifier: Apache-2.0
import { exitCodes, runModel } from '../../index.js';
import { preprocessText, runText } from '../../report/index.js';
import { defineCommand } from '../command.js';
import {
  images,
  inputKind,
  integer,
  limit,
  list,
  model,
  option,
  overwrite,
  preprocessing,
  target,
  text,
  threads,
  limits,
} from '../options.js';
import { saveConfigIn } from '../save-config.js';

export const runCommand = defineCommand({
  name: 'run',
  summary: 'run a quantized model in exact integers',
  positionals: ['model'],
  examples: [
    'lastbit run net.onnx --images photos',
    'lastbit run net.onnx --input frame.npy --taps all --out taps',
  ],
  options: {
    model,
    target,
    input: option('--input <file>', 'an image, .npy or .bin', text.optional()),
    images,
    limit,
    ...preprocessing,
    inputKind,
    taps: option(
      '--taps <names>',
      'layers whose codes to return: all, or NAME,...',
      list.optional(),
    ),
    out: option(
      '--out <dir>',
      'write outputs and taps there, as .npy with a manifest',
      text.optional(),
    ),
    top: option(
      '--top <k>',
      'how many of the best classes to print (default 5)',
      integer(0).optional(),
    ),
    names: option('--names <file>', 'class names, one a line', text.optional()),
    threads,
    overwrite,
    ...limits,
  },
  run: async (options, { print, note, warn, progress, resolvedConfig }) => {
    const document = await runModel({ ...options, onProgress: progress });
    if (options.out !== undefined) saveConfigIn(options.out, resolvedConfig);
    note(document, preprocessText);
    for (const left of document.notes) warn(`[import] ${left}`);
    print(document, runText);
    const trapped = (document.images ?? [document]).find(({ trap }) => trap !== undefined);
    if (!trapped) return exitCodes.ok;
    warn(
      `[trap] ${trapped.input}: an accumulator of this target overflows in "${trapped.trap!.layer}"`,
    );
    return exitCodes.checkFailed;
  },
});
