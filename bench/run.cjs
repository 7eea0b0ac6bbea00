// SPDX-License-Identifier: Apache-2.0
// All cases of bench/cases in one run: bench/results/<date>-<cpu>.json, and RESULTS.md from all
// results. Each case is a fresh process (`lastbit bench`), so that none inherits another's memory.
//   node bench/run.cjs [--runs N] [--only TEXT] [--render]
// Needs a build, LASTBIT_DATA with the models and images, and for all peers bench/peers/build.cjs.
const { writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { parseArgs } = require('node:util');
const {
  dataFolder,
  imagenetCases,
  lastbit,
  prepare,
  provenance,
  root,
  writeResult,
} = require('./prepare.cjs');
const { resultsPage } = require('./page.cjs');

const resultFolder = join(__dirname, 'results');
const seed = 1;

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '300' },
    only: { type: 'string', default: '' },
    render: { type: 'boolean', default: false },
  },
});

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
  const { models, cases } = imagenetCases();
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
  const head = provenance();
  const { done, missing } = runAll(data);
  writeResult(resultFolder, { ...head, seed, cases: done, missing });
  return missing.length === 0;
}

function render() {
  const { renderResults } = require(join(root, 'dist/bench/results.js'));
  writeFileSync(join(__dirname, 'RESULTS.md'), resultsPage(renderResults));
}

const complete = options.render || writeResults(dataFolder());
render();
process.exit(complete ? 0 : 1);
