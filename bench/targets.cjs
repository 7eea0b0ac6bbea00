// SPDX-License-Identifier: Apache-2.0
// What each target's arithmetic costs: one thread, V1 and V2, every target.
//   node bench/targets.cjs [--only TEXT,TEXT] [--runs N] [--again] [--fresh] [--note TEXT]
// Targets of equal constraints share one quantized net. Nets, programs and times are kept in
// build/bench, times by commit: an interrupted run goes on where it was, `--only` measures some
// targets again and `--again` all of them (the least of each layer stays), `--fresh` makes
// everything again.
// Writes bench/results/targets/. Needs a native build and LASTBIT_DATA.
const { createHash } = require('node:crypto');
const { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { parseArgs } = require('node:util');
const { buildEngine, open, randomInput } = require('./engine.cjs');
const {
  convert,
  dataFolder,
  imagenetCases,
  lastbit,
  provenance,
  quantize,
  readResults,
  work,
  writeResult,
} = require('./prepare.cjs');

const folder = join(__dirname, 'results', 'targets');
const models = ['v1_1.0', 'v2_1.0'];
const kept = join(work, 'targets');
const limits = { fast: 1.5, slow: 30 }; // times the fastest target
const minimumMs = 1000; // of a target's runs
const images = 4; // of calibration: latency does not depend on how good the ranges are

/** The net in the form that a target's quantizer gives it, made once for all of equal constraints. */
function netFor(name, target, data) {
  const key = createHash('sha256').update(JSON.stringify(target.constraints)).digest('hex');
  const file = join(kept, `${name}-${key.slice(0, 8)}.onnx`);
  if (!existsSync(file)) quantize(imagenetCases().models[name], data, target.id, file, images);
  return file;
}

function programFor(name, target, data) {
  const output = join('targets', `${name}-${target.id.replace(/[^a-z0-9.]+/g, '-')}`);
  const program = join(work, `${output}.lbp`);
  return existsSync(program) ? program : convert(netFor(name, target, data), output, target.id);
}

/** Least microseconds of each operation. */
async function time(engine, program, input, runs) {
  const contender = await open(engine, [program, input, '1', 'best', 'layers']);
  const first = (await contender.run(1))[0];
  await contender.run(Math.max(3, Math.min(runs, Math.ceil(minimumMs / first))));
  return contender.close(true);
}

const leastOf = (some, others) =>
  some.map((layer, i) => ({ ...layer, us: Math.min(layer.us, others[i].us) }));

const sum = (layers) => layers.reduce((total, { us }) => total + us, 0);

/**
 * Whether a kernel sums in any order and finishes in vectors, by a form that the ranges prove. Pairs
 * that saturate have their order and instructions of their own, two for what one does elsewhere.
 */
const isFast = ({ kernel }) => !/_ref$|\/raw$|\/steps|table|saturating/.test(kernel);

/** Least time of each operation over all targets that have it. */
function leastTimes(timed) {
  const least = new Map();
  for (const { layers } of timed) {
    for (const { name, us } of layers) least.set(name, Math.min(us, least.get(name) ?? Infinity));
  }
  return least;
}

/** Layers off the fast path, by kernel: how many, how long, how many times the least. */
function slowLayers(layers, least) {
  const kernels = new Map();
  for (const layer of layers.filter((one) => !isFast(one))) {
    kernels.set(layer.kernel, [...(kernels.get(layer.kernel) ?? []), layer]);
  }
  return [...kernels]
    .map(([kernel, some]) => ({
      kernel,
      count: some.length,
      ms: sum(some) / 1e3,
      ...against(some, least),
    }))
    .filter(({ ms }) => ms >= 0.05);
}

/** Times the least that any target takes for the same layers. */
function against(layers, least) {
  const fastest = layers.reduce((total, { name }) => total + least.get(name), 0);
  return { ratio: fastest > 0 ? sum(layers) / fastest : 1 };
}

function tableOf(timed) {
  const least = leastTimes(timed);
  const fastest = Math.min(...timed.map(({ layers }) => sum(layers)));
  const rows = timed.map(({ target, layers }) => ({
    target,
    ms: sum(layers) / 1e3,
    ratio: sum(layers) / fastest,
    fastLayers: against(layers.filter(isFast), least).ratio,
    slow: slowLayers(layers, least),
  }));
  return rows.sort((a, b) => a.ms - b.ms);
}

/** Times that outlive an interruption, for one commit. */
class Times {
  constructor(commit, fresh) {
    if (fresh) rmSync(kept, { recursive: true, force: true });
    mkdirSync(kept, { recursive: true });
    this.file = join(kept, 'times.json');
    const stored = existsSync(this.file) ? JSON.parse(readFileSync(this.file, 'utf8')) : {};
    this.entries = stored.commit === commit ? stored.entries : {};
    this.commit = commit;
  }
  get(name, target) {
    return this.entries[`${name} ${target}`];
  }
  /** Keeps the least of each layer, so that measuring again on a busy machine only helps. */
  set(name, target, entry) {
    const before = this.get(name, target);
    this.entries[`${name} ${target}`] =
      before?.layers && entry.layers ? { layers: leastOf(before.layers, entry.layers) } : entry;
    writeFileSync(this.file, JSON.stringify({ commit: this.commit, entries: this.entries }));
  }
}

async function measure(name, target, { data, engine, input, runs }) {
  try {
    const layers = await time(engine, programFor(name, target, data), input, runs);
    process.stderr.write(`${name} ${target.id}: ${(sum(layers) / 1e3).toFixed(3)} ms\n`);
    return { layers };
  } catch (error) {
    process.stderr.write(`${name} ${target.id}: ${error.message}\n`);
    return { reason: error.message.slice(0, 200) };
  }
}

function resultOf(name, targets, times) {
  const absent = { reason: 'not measured yet' };
  const all = targets.map(({ id }) => ({ target: id, ...(times.get(name, id) ?? absent) }));
  return {
    name,
    rows: tableOf(all.filter(({ layers }) => layers)),
    missing: all.filter(({ layers }) => !layers).map(({ target, reason }) => ({ target, reason })),
  };
}

/** Targets beyond a limit, in words. */
function beyondLimits(nets) {
  return nets.flatMap(({ name, rows }) =>
    rows.flatMap(({ target, ratio, fastLayers }) => [
      ...(fastLayers > limits.fast
        ? [`${name} ${target}: fast layers ${fastLayers.toFixed(2)}x`]
        : []),
      ...(ratio > limits.slow ? [`${name} ${target}: ${ratio.toFixed(1)}x`] : []),
    ]),
  );
}

function renderNet({ name, rows, missing }) {
  const cell = ({ count, kernel, ms, ratio }) =>
    `${count} ${kernel} ${ms.toFixed(1)} ms (${ratio.toFixed(1)}x)`;
  return [
    `| ${name}, target | ms | times the fastest | fast layers | other layers |`,
    '| --- | --- | --- | --- | --- |',
    ...rows.map(
      ({ target, ms, ratio, fastLayers, slow }) =>
        `| ${target} | ${ms.toFixed(3)} | ${ratio.toFixed(2)} | ${fastLayers.toFixed(2)} | ${slow.map(cell).join(', ')} |`,
    ),
    '',
    ...missing.map(({ target, reason }) => `Not run: ${target}: ${reason}.`),
    ...(missing.length > 0 ? [''] : []),
  ];
}

function renderTargets() {
  return readResults(folder)
    .flatMap((result) => [
      `## Cost of each target, ${result.date.slice(0, 10)}, ${result.cpu}`,
      '',
      `\`node bench/targets.cjs\`, commit ${result.commit}, ${result.compiler}. One thread; sum over the layers of`,
      'the least time of each. Fast layers (vectors, by a proven form): times the least that any target',
      `takes for the same layers, at most ${limits.fast}. Others, by kernel; a whole net at most ${limits.slow}.`,
      ...(result.note ? [result.note] : []),
      '',
      ...result.nets.flatMap(renderNet),
      ...beyondLimits(result.nets).map((text) => `Beyond a limit: ${text}.`),
      '',
    ])
    .join('\n');
}

async function main() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      runs: { type: 'string', default: '60' },
      again: { type: 'boolean', default: false },
      fresh: { type: 'boolean', default: false },
      note: { type: 'string' },
    },
  });
  const data = dataFolder();
  const head = provenance();
  const targets = JSON.parse(lastbit(['targets', '--format', 'json'])).targets;
  const times = new Times(head.commit, values.fresh);
  const only = values.only?.split(',');
  const setup = { data, engine: buildEngine(), input: randomInput(), runs: Number(values.runs) };
  for (const name of models) {
    for (const target of targets) {
      const asked = only === undefined || only.some((text) => target.id.includes(text));
      const known = only === undefined && !values.again && times.get(name, target.id);
      if (!asked || known) continue;
      times.set(name, target.id, await measure(name, target, setup));
    }
  }
  const nets = models.map((name) => resultOf(name, targets, times));
  const note = values.note === undefined ? {} : { note: values.note };
  writeResult(folder, { ...head, ...note, nets });
  for (const text of beyondLimits(nets)) process.stderr.write(`beyond a limit: ${text}\n`);
}

module.exports = { renderTargets };
if (require.main === module) main();
