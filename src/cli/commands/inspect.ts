// SPDX-License-Identifier: Apache-2.0
import { exitCodes, inspectModel, ModelError } from '../../index.js';
import { inspectText } from '../../report/index.js';
import { defineCommand } from '../command.js';
import { model, limits } from '../options.js';

export const inspectCommand = defineCommand({
  name: 'inspect',
  summary: 'what is in a model, and every node that is not supported',
  positionals: ['model'],
  examples: ['lastbit inspect mobilenet.onnx', 'lastbit inspect net.tflite --format json'],
  options: { model, ...limits },
  run: async (options, { print }) => {
    const document = await inspectModel(options);
    print(document, inspectText);
    const { length } = document.unsupported;
    if (length === 0) return exitCodes.ok;
    throw new ModelError(
      'unsupported-op',
      options.model,
      `${length} of its nodes cannot be imported; the list is in the output`,
    );
  },
});
