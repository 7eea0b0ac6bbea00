// SPDX-License-Identifier: Apache-2.0
import { exitCodes, proveModel } from '../../index.js';
import { preprocessText, proveText } from '../../report/index.js';
import { defineCommand } from '../command.js';
import {
  images,
  inputKind,
  limit,
  limits,
  model,
  option,
  preprocessing,
  target,
  text,
  threads,
} from '../options.js';

export const proveCommand = defineCommand({
  name: 'prove',
  summary: 'range certificate: no accumulator can overflow, or a counterexample',
  positionals: ['model'],
  examples: ['lastbit prove net.onnx', 'lastbit prove net.onnx --target mynpu.json'],
  options: {
    model,
    target,
    input: option('--input <file>', 'an image, .npy or .bin: what its sums reach', text.optional()),
    images,
    limit,
    ...preprocessing,
    inputKind,
    threads,
    ...limits,
  },
  run: async (options, { print, note, progress }) => {
    const document = await proveModel({ ...options, onProgress: progress });
    if (document.measured !== undefined) note(document.measured, preprocessText);
    print(document, proveText);
    return document.ok ? exitCodes.ok : exitCodes.checkFailed;
  },
});
