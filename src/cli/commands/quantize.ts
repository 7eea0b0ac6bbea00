// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';

import { exitCodes, quantizeModel } from '../../index.js';
import { recipeFlags } from '../../quantize/recipe.js';
import { preprocessText, quantizeText } from '../../report/index.js';
import { defineCommand } from '../command.js';
import {
  form,
  integer,
  limit,
  model,
  option,
  overwrite,
  preprocessing,
  target,
  text,
  threads,
  limits,
} from '../options.js';
import { saveConfigBeside } from '../save-config.js';

export const quantizeCommand = defineCommand({
  name: 'quantize',
  summary: 'turn a float model (ONNX, TFLite) into an integer one (ONNX, TFLite), after training',
  positionals: ['model'],
  examples: [
    'lastbit quantize mobilenet.onnx --calib photos -o net.onnx',
    'lastbit quantize mobilenet.onnx --calib photos --target tflm -o net.tflite',
    'lastbit quantize mobilenet.onnx --calib photos --target pow2 --weight-bits 4 -o net.onnx',
  ],
  options: {
    model,
    output: option('-o, --output <file>', 'the quantized model, .onnx or .tflite', text),
    form,
    calib: option('--calib <dir>', 'calibration images: a folder or one .npy', text.optional()),
    dataFree: option(
      '--data-free',
      'no images: ranges and means from batch norms',
      z.boolean().default(false),
    ),
    limit,
    ...preprocessing,
    target,
    recipe: option('--recipe <name>', 'best (default), naive, or a .json file', text.optional()),
    weights: option(
      '--weights <scales>',
      'per-channel (default where the target can) or per-tensor',
      z.enum(['per-channel', 'per-tensor']).optional(),
    ),
    weightBits: option('--weight-bits <n>', 'bits of the weights', integer(2, 16).optional()),
    activationBits: option(
      '--activation-bits <n>',
      '16 for layers on 16-bit activations (16x8) where the target has them; with --auto, where needed',
      z.coerce
        .number()
        .pipe(z.union([z.literal(8), z.literal(16)]))
        .optional(),
    ),
    auto: option(
      '--auto',
      'choose bits and granularity of the weights layer by layer, by measured sensitivity',
      z.boolean().optional(),
    ),
    maxDrop: option(
      '--max-drop <points>',
      'for --auto: agreement with float that may be given up (default: 1)',
      z.coerce.number().min(0).max(100).optional(),
    ),
    ...recipeFlags,
    threads,
    overwrite,
    ...limits,
  },
  run: async (options, { print, note, warn, progress, resolvedConfig }) => {
    const document = await quantizeModel({ ...options, onProgress: progress });
    saveConfigBeside(options.output, resolvedConfig);
    note(document, preprocessText);
    for (const warning of document.warnings) warn(`[quantize] ${warning}`);
    print(document, quantizeText);
    return exitCodes.ok;
  },
});
