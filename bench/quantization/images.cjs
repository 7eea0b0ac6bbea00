// SPDX-License-Identifier: Apache-2.0
const { join } = require('node:path');

const { labelledSource, resolvePreprocessing } = require('../../dist/index.js');
const { resolveLabelOffset } = require('../../dist/data/index.js');

/** Labelled images of a folder as a program's input takes them. */
function imagesFor(program, folder, preset, limit) {
  const input = program.tensors[program.input];
  const { height, width, channels } = program.tensors[program.outputs[0]];
  const classes = height * width * channels;
  return labelledSource(folder, join(folder, 'labels.csv'), {
    ...{ input, limit, classes, labelOffset: resolveLabelOffset(classes) },
    preprocessing: () => resolvePreprocessing(input, { flag: preset }),
  });
}

module.exports = { imagesFor };
