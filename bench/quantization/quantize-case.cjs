// SPDX-License-Identifier: Apache-2.0
// Quantizes one network through the command line. Files stay in build/quantization, by network, flags,
// images and the commit that made them, so that several tables can use one file.
const { existsSync, mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const { lastbit, root } = require('./lastbit.cjs');
const { commit } = require('./store.cjs');

const work = join(root, 'build', 'quantization');

const isDataFree = ({ flags = [] }) => flags.includes('--data-free');

/** The flags of a case, as one would type them in the project's root. */
function flagsOf({ target, weights, bits, flags = [] }) {
  return [
    ...['--target', target],
    ...(weights ? ['--weights', weights] : []),
    ...(bits ? ['--weight-bits', String(bits)] : []),
    ...flags,
  ];
}

function fileOf(one, calibration, made) {
  const name = [one.net, ...flagsOf(one), calibration, made].join(' ');
  return join(work, `${name.replace(/[^a-zA-Z0-9.]+/g, '-')}.onnx`);
}

/**
 * @param one net, target, weights, bits, flags
 * @param settings data folder, nets, number of calibration images, fresh
 * @returns the file, its float model and preprocessing, and the document of `quantize`
 */
function quantizeCase(one, { data, nets, calibration, fresh = false, threads = 1 }) {
  const { file, preprocess } = nets[one.net];
  const model = join(data, 'models', 'float', file);
  const images = isDataFree(one) ? 0 : calibration;
  const made = commit();
  const output = fileOf(one, images, made);
  const facts = { output, model, preprocess, images };
  const known = `${output}.json`;
  // With uncommitted changes the commit does not say what made the file.
  if (!fresh && !made.endsWith('+') && existsSync(known)) {
    return { ...facts, document: JSON.parse(readFileSync(known, 'utf8')) };
  }
  mkdirSync(work, { recursive: true });
  const calib = ['--calib', join(data, 'imagenet', 'calibration'), '--limit', String(images)];
  const document = lastbit([
    ...['quantize', model, '-o', output, ...(images > 0 ? calib : []), '--preprocess', preprocess],
    ...[...flagsOf(one), '--threads', String(threads), '--overwrite'],
  ]);
  writeFileSync(known, JSON.stringify(document));
  return { ...facts, document };
}

module.exports = { flagsOf, isDataFree, quantizeCase, work };
