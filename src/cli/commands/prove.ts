// SPDX-License-Identifier: Apache-2.0
import { exitCodes, proveModel } from '../../index.js';
import { proveText } from '../../report/index.js';
import { defineCommand } from '../command.js';
import { model, target, limits } from '../options.js';

export const proveCommand = defineCommand({
  name: 'prove',
  summary: 'range certificate: no accumulator can overflow, or a counterexample',
  positionals: ['model'],
  examples: ['lastbit prove net.onnx', 'lastbit prove net.onnx --target mynpu.json'],
  options: { model, target, ...limits },
  run: async (options, { print }) => {
    const document = await proveModel(options);
    print(document, proveText);
    return document.ok ? exitCodes.ok : exitCodes.checkFailed;
  },
});
