// SPDX-License-Identifier: Apache-2.0
// Quantizes one network in a process of its own and evaluates the file in another, both through
// the command line, so that a row says what a user gets.
const { spawnSync } = require('node:child_process');
const { mkdirSync } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '..', '..');
const main = join(root, 'dist', 'cli', 'main.js');
const work = join(root, 'build', 'quantization');

/** Runs a lastbit command and reads its JSON; its last line of complaint becomes the error. */
function lastbit(args) {
  const child = spawnSync(process.execPath, [main, ...args, '--format', 'json'], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (child.status === 0) return JSON.parse(child.stdout);
  throw new Error(child.stderr.trim().split('\n').at(-1) || `exit ${child.status}`);
}

/** The flags of a case, as one would type them. */
function flagsOf({ target, weights, bits, flags = [] }) {
  return [
    ...['--target', target],
    ...(weights ? ['--weights', weights] : []),
    ...(bits ? ['--weight-bits', String(bits)] : []),
    ...flags,
  ];
}

const round = (value) => (typeof value === 'number' ? Number(value.toFixed(3)) : value);

function evaluation(file, { model, preprocess, data, set, limit }) {
  const folder = join(data, 'imagenet', set);
  const images = ['--images', folder, '--labels', join(folder, 'labels.csv')];
  const scope = limit ? ['--limit', String(limit)] : [];
  const how = ['--float', model, '--preprocess', preprocess, '--threads', '1'];
  const result = lastbit(['evaluate', file, ...images, ...scope, ...how]);
  const { n, top1, top1Ci95, tiesAtTopPercent, float, paired, top1Agreement, scoreSqnrDb } = result;
  return {
    ...{ n, top1: round(top1), top1Ci95: top1Ci95.map(round), floatTop1: round(float.top1) },
    paired: { ...paired, delta: round(paired.delta), ci95: paired.ci95.map(round) },
    scoreSqnrDb: round(scoreSqnrDb),
    top1Agreement: round(top1Agreement),
    tiesAtTopPercent: round(tiesAtTopPercent),
  };
}

/**
 * @param one net, target, weights, bits, flags
 * @param settings data folder, nets, number of calibration images, sets to evaluate on
 * @returns what `bench/results` keeps of it
 */
function runCase(one, { data, nets, calibration, sets, limit }) {
  const { file, preprocess } = nets[one.net];
  const model = join(data, 'models', 'float', file);
  mkdirSync(work, { recursive: true });
  const output = join(work, `${process.pid}.onnx`);
  const calib = ['--calib', join(data, 'imagenet', 'calibration'), '--limit', String(calibration)];
  const flags = flagsOf(one);
  const done = lastbit([
    ...['quantize', model, '-o', output, ...calib, '--preprocess', preprocess],
    ...[...flags, '--threads', '1', '--overwrite'],
  ]);
  const results = sets.map((set) => [
    set,
    evaluation(output, { model, preprocess, data, set, limit }),
  ]);
  return {
    flags: flags.join(' '),
    target: done.target,
    calibration,
    seconds: Math.round(done.seconds),
    peakRssMiB: Math.round(done.peakRssMiB),
    steps: done.steps,
    warnings: done.warnings,
    sets: Object.fromEntries(results),
  };
}

module.exports = { flagsOf, runCase };
