// SPDX-License-Identifier: Apache-2.0
// All cases of bench/cases in one run: bench/results/<date>-<cpu>.json, and RESULTS.md from all
// results. Each case is a fresh process (`lastbit bench`), so that none inherits another's memory.
//   node bench/run.cjs [--runs N] [--only TEXT] [--render]
// Needs a build, LASTBIT_DATA with the models and images, and for all peers bench/peers/build.cjs.
const { execFileSync, spawnSync } = require('node:child_process');
const { mkdirSync, readFileSync, readdirSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { parseArgs } = require('node:util');

const root = join(__dirname, '..');
const main = join(root, 'dist', 'cli', 'main.js');
const resultFolder = join(__dirname, 'results');
const work = join(root, 'build', 'bench');
const seed = 1;

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '300' },
    only: { type: 'string', default: '' },
    render: { type: 'boolean', default: false },
  },
});

function lastbit(args) {
  const child = spawnSync(process.execPath, [main, ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (child.status === 0) return child.stdout;
  throw new Error(child.stderr.trim().split('\n').at(-1) || `exit ${child.status}`);
}

function commandOutput(command, ...args) {
  try {
    return execFileSync(command, args, { cwd: root, encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}

/** The quantized file of a case's model, made once a run from the data folder. */
function prepare(name, model, data) {
  const at = (path) => join(data, path);
  const output = join(work, `${name}.onnx`);
  if (model.file) return at(model.file);
  if (model.convert) {
    lastbit(['convert', ...model.convert.map(at), '-o', output, '--overwrite']);
  } else {
    // Twenty images: latency does not depend on how good the ranges are.
    const calib = ['--calib', at('imagenet/calibration'), '--limit', '20'];
    const how = ['--target', 'tflm', '--recipe', 'naive', '--preprocess', model.preprocess];
    lastbit(['quantize', at(model.quantize), '-o', output, ...calib, ...how, '--overwrite']);
  }
  return output;
}

function runCase({ model, threads, isa, vs }, models, files, data) {
  const { preprocess, quantize, float } = models[model];
  files[model] ??= prepare(model, models[model], data);
  const original = float ?? quantize;
  const args = ['bench', files[model], '--format', 'json', '--seed', String(seed)];
  args.push('--threads', String(threads), '--runs', options.runs, '--vs', vs.join(','));
  args.push('--images', join(data, 'imagenet/val'), '--limit', '10', '--preprocess', preprocess);
  if (isa) args.push('--isa', isa);
  if (original) args.push('--float', join(data, original));
  const document = JSON.parse(lastbit(args));
  // Where the files lay is nobody's business.
  return { ...document, model };
}

function runAll(data) {
  const { models, cases } = JSON.parse(
    readFileSync(join(__dirname, 'cases/imagenet.json'), 'utf8'),
  );
  mkdirSync(work, { recursive: true });
  const done = [];
  const missing = [];
  const files = {};
  for (const one of cases) {
    const name = [one.model, `${one.threads}T`, one.isa].filter(Boolean).join(' ');
    if (!name.includes(options.only)) continue;
    process.stderr.write(`${name} ...`);
    try {
      const document = runCase(one, models, files, data);
      done.push({ name, ...(one.goals && { goals: one.goals }), document });
      process.stderr.write(` ${document.p50Ms.toFixed(3)} ms\n`);
    } catch (error) {
      missing.push({ name, reason: error.message });
      process.stderr.write(` ${error.message}\n`);
    }
  }
  return { done, missing };
}

function writeResults(data) {
  const { cpuName } = require(join(root, 'dist/bench/machine.js'));
  const date = new Date().toISOString();
  const { done, missing } = runAll(data);
  const cpu = cpuName();
  const result = {
    schemaVersion: 1,
    date,
    cpu,
    commit: commandOutput('git', 'rev-parse', '--short', 'HEAD'),
    dirty: commandOutput('git', 'status', '--porcelain', '--untracked-files=no') !== '',
    compiler: commandOutput('c++', '--version').split('\n')[0],
    node: process.version,
    seed,
    cases: done,
    missing,
  };
  const slug = cpu
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  mkdirSync(resultFolder, { recursive: true });
  const file = join(resultFolder, `${date.slice(0, 10)}-${slug}.json`);
  writeFileSync(file, JSON.stringify(result, undefined, 2) + '\n');
  return missing.length === 0;
}

function render() {
  const { renderResults } = require(join(root, 'dist/bench/results.js'));
  const files = readdirSync(resultFolder).filter((name) => name.endsWith('.json'));
  const results = files.map((name) => JSON.parse(readFileSync(join(resultFolder, name), 'utf8')));
  writeFileSync(join(__dirname, 'RESULTS.md'), renderResults(results));
}

let complete = true;
if (!options.render) {
  const data = process.env.LASTBIT_DATA;
  if (!data) {
    console.error('LASTBIT_DATA is not set: the cases need its models and images');
    process.exit(2);
  }
  complete = writeResults(data);
}
render();
process.exit(complete ? 0 : 1);
