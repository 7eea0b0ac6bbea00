// SPDX-License-Identifier: Apache-2.0
import { exitCodes, inspectModel, ModelError } from '../../index.js';
import { inspectText } from '../../report/index.js';
import { defineCommand } from '../command.js';
import { limits, model, option, text } from '../options.js';

export const inspectCommand = defineCommand({
  name: 'inspect',
  summary: 'what is in a model, and every node that is not supported',
  positionals: ['model'],
  examples: [
    'lastbit inspect mobilenet.onnx',
    'lastbit inspect net.tflite --format json',
    'lastbit inspect mobilenet.onnx --target npu.json',
  ],
  options: {
    model,
    target: option(
      '--target <name>',
      'whether this target takes it, and if not, why',
      text.optional(),
    ),
    ...limits,
  },
  run: async (options, { print }) => {
    const document = await inspectModel(options);
    print(document, inspectText);
    const { accepted, unsupported } = document;
    const { length } = unsupported;
    if (length === 0) return accepted?.ok === false ? exitCodes.checkFailed : exitCodes.ok;
    throw new ModelError(
      'unsupported-op',
      options.model,
      `${length} of its nodes cannot be imported; the list is in the output`,
    );
  },
});
