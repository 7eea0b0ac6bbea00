// SPDX-License-Identifier: Apache-2.0
// What only shows between processes: two threads while another process keeps a core busy, many
// images at once, and the scalar reference beside plain loops compiled with -O3.
//   node bench/processes.cjs
// Writes bench/results/processes/. Needs a native build, bench/peers/build.cjs and LASTBIT_DATA.
const { spawn } = require('node:child_process');
const { availableParallelism } = require('node:os');
const { join } = require('node:path');
const { buildEngine, inTurns, median, open, randomInput } = require('./engine.cjs');
const {
  convert,
  dataFolder,
  imagenetCases,
  prepare,
  provenance,
  readResults,
  root,
  writeResult,
} = require('./prepare.cjs');

const folder = join(__dirname, 'results', 'processes');
const models = ['v1_1.0', 'v2_1.0'];
const imagesAtOnce = 16; // of bench/engine.cc

/** Keeps the last core busy. */
function busyNeighbour() {
  const loop = ['sh', '-c', 'while :; do :; done'];
  return spawn('taskset', ['-c', String(availableParallelism() - 1), ...loop]);
}

/** Median milliseconds of contenders in turns, each a process of its own. */
async function medians(contenders, blocks, runs) {
  const open_ = [];
  for (const [program, ...args] of contenders) open_.push(await open(program, args));
  const times = await inTurns(open_, blocks, runs);
  for (const one of open_) await one.close();
  return times.map(median);
}

async function withNeighbour(work) {
  const neighbour = busyNeighbour();
  try {
    return await work();
  } finally {
    neighbour.kill();
  }
}

async function measure(name, program, input, engine) {
  const run = (threads, tier, mode) => [engine, program, input, String(threads), tier, mode];
  const pair = [run(1, 'best', 'run'), run(2, 'best', 'run')];
  const [oneMs, twoMs] = await medians(pair, 30, 10);
  const [oneBusyMs, twoBusyMs] = await withNeighbour(() => medians(pair, 30, 10));
  const many = [run(1, 'best', 'many'), run(2, 'best', 'many')];
  const [manyOneMs, manyTwoMs] = (await medians(many, 10, 2)).map((ms) => ms / imagesAtOnce);
  const loops = join(root, 'build', 'peers', 'loops-O3');
  const [referenceMs, loopsMs] = await medians(
    [run(1, 'reference', 'run'), [loops, program, input]],
    3,
    2,
  );
  return {
    name,
    oneMs,
    twoMs,
    oneBusyMs,
    twoBusyMs,
    busyRatio: twoBusyMs / oneMs,
    manyOneMs,
    manyTwoMs,
    manyRatio: manyOneMs / manyTwoMs,
    referenceMs,
    loopsMs,
    referenceRatio: referenceMs / loopsMs,
  };
}

function renderProcesses() {
  const columns = [
    ['1T', 'oneMs', 3],
    ['2T', 'twoMs', 3],
    ['1T busy', 'oneBusyMs', 3],
    ['2T busy', 'twoBusyMs', 3],
    ['2T busy / 1T', 'busyRatio', 2],
    ['runMany 1T', 'manyOneMs', 3],
    ['runMany 2T', 'manyTwoMs', 3],
    ['throughput', 'manyRatio', 2],
    ['reference', 'referenceMs', 1],
    ['loops -O3', 'loopsMs', 1],
    ['reference / loops', 'referenceRatio', 2],
  ];
  return readResults(folder)
    .flatMap((result) => [
      `## Between processes, ${result.date.slice(0, 10)}, ${result.cpu}`,
      '',
      `\`node bench/processes.cjs\`, commit ${result.commit}, ${result.compiler}. Milliseconds of an image,`,
      'medians in turns. Busy: another process keeps one core at work (2T at most 1.2 times 1T).',
      'Throughput of runMany on 2 threads over 1 (at least 1.9). The scalar reference beside plain',
      'loops at -O3 (at most 1.5 times).',
      '',
      `| net | ${columns.map(([title]) => title).join(' | ')} |`,
      `| --- |${' --- |'.repeat(columns.length)}`,
      ...result.nets.map(
        (net) =>
          `| ${net.name} | ${columns.map(([, key, digits]) => net[key].toFixed(digits)).join(' | ')} |`,
      ),
      '',
    ])
    .join('\n');
}

async function main() {
  const data = dataFolder();
  const head = provenance();
  const engine = buildEngine();
  const input = randomInput();
  const cases = imagenetCases().models;
  const nets = [];
  for (const name of models) {
    const program = convert(prepare(name, cases[name], data), name);
    nets.push(await measure(name, program, input, engine));
    console.log(nets.at(-1));
  }
  writeResult(folder, { ...head, nets });
}

module.exports = { renderProcesses };
if (require.main === module) main();
