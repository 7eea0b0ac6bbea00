// SPDX-License-Identifier: Apache-2.0
import { exitCodes, runExperiment } from '../../index.js';
import { experimentText } from '../../report/index.js';
import { defineCommand } from '../command.js';
import { images, integer, limit, list, option, preprocessing, text, threads } from '../options.js';

export const experimentCommand = defineCommand({
  name: 'experiment',
  summary: 'a paper tested claim by claim: yun-wong, sheng or bae',
  positionals: ['name'],
  examples: ['lastbit experiment sheng --data cifar10 --out sheng'],
  options: {
    name: option('--name <name>', 'yun-wong, sheng or bae', text),
    data: option(
      '--data <dir>',
      'a folder with test/<class>/*.jpg and train/<class>/*.jpg, such as CIFAR-10',
      text.optional(),
    ),
    nets: option('--nets <files>', 'float ONNX files (default: models/cifar10)', list.optional()),
    images,
    labels: option('--labels <csv>', 'with --images: as for evaluate', text.optional()),
    calib: option('--calib <dir>', 'with --images: as for quantize', text.optional()),
    limit,
    ...preprocessing,
    calibrationImages: option(
      '--calibration-images <n>',
      'images of calibration (default 50)',
      integer(1).optional(),
    ),
    out: option(
      '--out <dir>',
      'result.json, a .csv for each table, and what a second call need not compute again',
      text.optional(),
    ),
    threads,
  },
  run: async (options, { print, progress, warn }) => {
    const document = await runExperiment({ ...options, onProgress: progress });
    for (const note of document.notes) warn(`[note] ${note}`);
    print(document, experimentText);
    return exitCodes.ok;
  },
});
