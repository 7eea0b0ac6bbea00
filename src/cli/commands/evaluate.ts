// SPDX-License-Identifier: Apache-2.0
import { evaluateModel, exitCodes } from '../../index.js';
import { evaluateText, preprocessText } from '../../report/index.js';
import { defineCommand } from '../command.js';
import {
  images,
  inputKind,
  integer,
  limit,
  model,
  option,
  overwrite,
  preprocessing,
  queue,
  resume,
  target,
  text,
  threads,
  limits,
} from '../options.js';
import { saveConfigIn } from '../save-config.js';

export const evaluateCommand = defineCommand({
  name: 'evaluate',
  summary: 'top-1 and top-5 on labelled images, paired with the float model',
  positionals: ['model'],
  examples: [
    'lastbit evaluate net.onnx --float mobilenet.onnx --images photos --labels labels.csv --out run1',
    'lastbit evaluate net.onnx --float mobilenet.onnx --images photos --labels labels.csv --expect sheng2018',
    'lastbit evaluate net.onnx --images photos --labels labels.csv --out run1 --queue redis://127.0.0.1:6379',
  ],
  options: {
    model,
    target,
    images,
    labels: option(
      '--labels <file>',
      'CSV with the columns file and label, lines of both (val.txt), or folders: one for each class',
      text.optional(),
    ),
    labelOffset: option(
      '--label-offset <n>',
      'added to each label (default: 1 for 1001 classes, else 0)',
      integer(-1_000_000).optional(),
    ),
    float: option('--float <file>', 'float model to compare with', text.optional()),
    limit,
    ...preprocessing,
    inputKind,
    threads,
    expect: option(
      '--expect <gate>',
      'sheng2018 (68.03 %), or a JSON file with top1, drop, agreement; exit 1 where it is missed',
      text.optional(),
    ),
    outcomes: option(
      '--outcomes <file>',
      'a CSV with one line an image: file, label, answers, ranks, ties',
      text.optional(),
    ),
    queue,
    shard: option(
      '--shard <n>',
      'images that a worker takes from the queue at a time (default 50)',
      integer(1).optional(),
    ),
    out: option('--out <dir>', 'keep progress and result there', text.optional()),
    resume,
    overwrite,
    ...limits,
  },
  run: async (options, { print, note, warn, progress, resolvedConfig }) => {
    const document = await evaluateModel({ ...options, onProgress: progress });
    if (options.out !== undefined) saveConfigIn(options.out, resolvedConfig);
    note(document, preprocessText);
    for (const left of document.notes) warn(`[import] ${left}`);
    print(document, evaluateText);
    return document.expect?.ok === false ? exitCodes.checkFailed : exitCodes.ok;
  },
});
