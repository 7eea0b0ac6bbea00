// SPDX-License-Identifier: Apache-2.0
import { convertModel, exitCodes } from '../../index.js';
import { convertText } from '../../report/index.js';
import { defineCommand } from '../command.js';
import { form, model, option, overwrite, target, text, limits } from '../options.js';
import { saveConfigBeside } from '../save-config.js';

export const convertCommand = defineCommand({
  name: 'convert',
  summary:
    'write a quantized model as ONNX (QDQ, QOperator or integer), .tflite or .lbp; join a backbone and a head',
  positionals: ['model', 'head'],
  examples: [
    'lastbit convert net.onnx -o net.tflite --target tflm',
    'lastbit convert net.tflite -o net.lbp',
    'lastbit convert net.onnx -o exact.onnx --form integer',
  ],
  options: {
    model,
    head: option('--head <file>', 'a model that continues the first', text.optional()),
    output: option('-o, --output <file>', 'the result, .onnx, .tflite or .lbp', text),
    form,
    target,
    overwrite,
    ...limits,
  },
  run: async (options, { print, warn, resolvedConfig }) => {
    const document = await convertModel(options);
    saveConfigBeside(options.output, resolvedConfig);
    for (const left of document.notes) warn(`[import] ${left}`);
    print(document, convertText);
    return exitCodes.ok;
  },
});
