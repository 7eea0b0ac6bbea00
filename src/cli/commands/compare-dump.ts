// SPDX-License-Identifier: Apache-2.0
import { compareDump, exitCodes } from '../../index.js';
import { compareDumpText, preprocessText } from '../../report/index.js';
import { defineCommand } from '../command.js';
import {
  inputKind,
  model,
  option,
  preprocessing,
  target,
  text,
  threads,
  limits,
} from '../options.js';

export const compareDumpCommand = defineCommand({
  name: 'compare-dump',
  summary: 'dumps of a device or simulation against a target, layer by layer',
  positionals: ['model', 'dumps'],
  examples: ['lastbit compare-dump net.onnx device-dumps --target pow2 --input frame.npy'],
  options: {
    model,
    dumps: option(
      '--dumps <dir>',
      'folder of .npy, .bin, .mem or .hex files named after layers or tensors',
      text,
    ),
    target,
    input: option('--input <file>', 'what the device was given: image, .npy or .bin', text),
    ...preprocessing,
    inputKind,
    threads,
    ...limits,
  },
  run: async (options, { print, note, warn }) => {
    const document = await compareDump(options);
    note(document, preprocessText);
    for (const left of document.notes) warn(`[import] ${left}`);
    print(document, compareDumpText);
    return document.first === null && !document.trap ? exitCodes.ok : exitCodes.checkFailed;
  },
});
