// SPDX-License-Identifier: Apache-2.0
import { compareModels, exitCodes } from '../../index.js';
import { compareText, preprocessText } from '../../report/index.js';
import { defineCommand } from '../command.js';
import {
  images,
  inputKind,
  limit,
  option,
  preprocessing,
  target,
  text,
  threads,
  limits,
} from '../options.js';

export const compareCommand = defineCommand({
  name: 'compare',
  summary: 'float reference against integers, layer by layer, alone and behind the others',
  positionals: ['float', 'quant'],
  examples: ['lastbit compare mobilenet.onnx net.onnx --images photos --limit 50'],
  options: {
    float: option('--float <file>', 'the float model', text),
    quant: option('--quant <file>', 'the quantized model', text),
    target,
    input: option('--input <file>', 'an image, .npy or .bin', text.optional()),
    images,
    limit,
    ...preprocessing,
    inputKind,
    threads,
    ...limits,
  },
  run: async (options, { print, note, progress }) => {
    const document = await compareModels({ ...options, onProgress: progress });
    note(document, preprocessText);
    print(document, compareText);
    return document.trap ? exitCodes.checkFailed : exitCodes.ok;
  },
});
