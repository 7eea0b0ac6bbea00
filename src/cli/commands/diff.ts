// SPDX-License-Identifier: Apache-2.0
import { diffTargets, exitCodes } from '../../index.js';
import { diffText, preprocessText } from '../../report/index.js';
import { defineCommand } from '../command.js';
import {
  images,
  inputKind,
  limit,
  list,
  model,
  option,
  preprocessing,
  text,
  threads,
  limits,
} from '../options.js';

export const diffCommand = defineCommand({
  name: 'diff',
  summary: 'where and why targets part: first layer, codes, LSB, cause',
  positionals: ['model'],
  examples: ['lastbit diff net.tflite --target tflite-u8,xnnpack --input photo.jpg'],
  options: {
    model,
    target: option(
      '--target <names>',
      'two or more targets (A,B,...) or all; the first is the reference',
      list,
    ),
    input: option('--input <file>', 'an image, .npy or .bin', text.optional()),
    images,
    limit,
    ...preprocessing,
    inputKind,
    threads,
    ...limits,
  },
  run: async (options, { print, note, warn, progress }) => {
    const document = await diffTargets({ ...options, onProgress: progress });
    note(document, preprocessText);
    for (const left of document.notes) warn(`[import] ${left}`);
    print(document, diffText);
    return document.first === null ? exitCodes.ok : exitCodes.checkFailed;
  },
});
