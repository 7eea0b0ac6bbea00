// SPDX-License-Identifier: Apache-2.0
// What the bench scripts share: the models of bench/cases, made from the data folder, and where a
// result comes from.
const { execFileSync, spawnSync } = require('node:child_process');
const { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '..');
const main = join(root, 'dist', 'cli', 'main.js');
const work = join(root, 'build', 'bench');

/** Runs a command of the CLI; returns what it prints, throws its last line of complaint. */
function lastbit(args) {
  const child = spawnSync(process.execPath, [main, ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (child.status === 0) return child.stdout;
  throw new Error(child.stderr.trim().split('\n').at(-1) || `exit ${child.status}`);
}

function imagenetCases() {
  return JSON.parse(readFileSync(join(__dirname, 'cases/imagenet.json'), 'utf8'));
}

function dataFolder() {
  const data = process.env.LASTBIT_DATA;
  if (data) return data;
  console.error('LASTBIT_DATA is not set: the cases need its models and images');
  process.exit(2);
}

/** Quantizes a float model for a target; latency does not depend on how good the ranges are. */
function quantize(model, data, target, output, images = 20) {
  const calib = ['--calib', join(data, 'imagenet/calibration'), '--limit', String(images)];
  const how = ['--target', target, '--recipe', 'naive', '--preprocess', model.preprocess];
  lastbit(['quantize', join(data, model.quantize), '-o', output, ...calib, ...how, '--overwrite']);
}

/** The quantized file of a case's model, made once a run. */
function prepare(name, model, data) {
  mkdirSync(work, { recursive: true });
  const at = (path) => join(data, path);
  const output = join(work, `${name}.onnx`);
  if (model.file) return at(model.file);
  if (model.convert) {
    lastbit(['convert', ...model.convert.map(at), '-o', output, '--overwrite']);
  } else {
    quantize(model, data, 'tflm', output);
  }
  return output;
}

/** A model file as a program, for its own target or for another one. */
function convert(file, name, target) {
  mkdirSync(work, { recursive: true });
  const output = join(work, `${name}.lbp`);
  const how = target === undefined ? [] : ['--target', target];
  lastbit(['convert', file, '-o', output, ...how, '--overwrite']);
  return output;
}

function commandOutput(command, ...args) {
  try {
    return execFileSync(command, args, { cwd: root, encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}

function compiler() {
  return commandOutput('c++', '--version').split('\n')[0];
}

/** The head of a result: when, on what, of what. */
function provenance() {
  const { cpuName } = require(join(root, 'dist/bench/machine.js'));
  return {
    schemaVersion: 1,
    date: new Date().toISOString(),
    cpu: cpuName(),
    commit: commandOutput('git', 'rev-parse', '--short', 'HEAD'),
    dirty: commandOutput('git', 'status', '--porcelain', '--untracked-files=no') !== '',
    compiler: compiler(),
    node: process.version,
  };
}

/** Writes a result to `folder` under its date and CPU. */
function writeResult(folder, result) {
  const slug = result.cpu
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${result.date.slice(0, 10)}-${slug}.json`);
  writeFileSync(file, JSON.stringify(result, undefined, 2) + '\n');
  return file;
}

/** All results of a folder, the latest first. */
function readResults(folder) {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  const results = names.map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')));
  return results.sort((a, b) => b.date.localeCompare(a.date));
}

module.exports = {
  compiler,
  convert,
  dataFolder,
  imagenetCases,
  lastbit,
  prepare,
  provenance,
  quantize,
  readResults,
  root,
  work,
  writeResult,
};
