// SPDX-License-Identifier: Apache-2.0
// What each target's arithmetic costs: one thread, V1 and V2, every target.
//   node bench/targets.cjs [--only TEXT] [--runs N]
// The nets are quantized for tflm; a target that cannot represent them gets its own quantization.
// Writes bench/results/targets/. Needs a native build and LASTBIT_DATA.
const { join } = require('node:path');
const { parseArgs } = require('node:util');
const { buildEngine, open, randomInput } = require('./engine.cjs');
const {
  convert,
  dataFolder,
  imagenetCases,
  lastbit,
  prepare,
  provenance,
  quantize,
  readResults,
  work,
  writeResult,
} = require('./prepare.cjs');

const folder = join(__dirname, 'results', 'targets');
const models = ['v1_1.0', 'v2_1.0'];
const slowLayer = 3; // times what the fastest target takes for it

function programFor(target, name, model, file, data) {
  const output = `${name}-${target.replace(/[^a-z0-9.]+/g, '-')}`;
  try {
    return convert(file, output, target);
  } catch (error) {
    if (!error.message.includes('target-constraint')) throw error;
    const own = join(work, `${output}.onnx`);
    quantize(model, data, target, own);
    return convert(own, output, target);
  }
}

/** Least microseconds of each operation. */
async function time(engine, program, input, runs) {
  const contender = await open(engine, [program, input, '1', 'best', 'layers']);
  const first = (await contender.run(1))[0];
  // Slow paths take seconds: as many runs as fit the same time, 3 at least.
  await contender.run(Math.max(3, Math.min(runs, Math.ceil((runs * 20) / first))));
  return contender.close(true);
}

const totalOf = (layers) => layers.reduce((sum, layer) => sum + layer.us, 0) / 1e3;

/** Layers that take far longer than under the fastest target, by kernel: how many, how long. */
function slowLayers(layers, fastest) {
  const kernels = new Map();
  for (const [i, layer] of layers.entries()) {
    if (fastest.length !== layers.length || layer.us < slowLayer * fastest[i].us) continue;
    const { count, us } = kernels.get(layer.kernel) ?? { count: 0, us: 0 };
    kernels.set(layer.kernel, { count: count + 1, us: us + layer.us });
  }
  return [...kernels].map(([kernel, { count, us }]) => ({ kernel, count, ms: us / 1e3 }));
}

async function measureNet(name, targets, { data, engine, input, runs }) {
  const model = imagenetCases().models[name];
  const file = prepare(name, model, data);
  const timed = [];
  const missing = [];
  for (const target of targets) {
    try {
      const layers = await time(engine, programFor(target, name, model, file, data), input, runs);
      timed.push({ target, layers, ms: totalOf(layers) });
      process.stderr.write(`${name} ${target}: ${timed.at(-1).ms.toFixed(3)} ms\n`);
    } catch (error) {
      missing.push({ target, reason: error.message.slice(0, 200) });
      process.stderr.write(`${name} ${target}: ${error.message}\n`);
    }
  }
  const fastest = timed.reduce((a, b) => (b.ms < a.ms ? b : a));
  const rows = timed.map(({ target, layers, ms }) => ({
    target,
    ms,
    ratio: ms / fastest.ms,
    slow: slowLayers(layers, fastest.layers),
  }));
  return { name, rows: rows.sort((a, b) => a.ms - b.ms), missing };
}

function renderTargets() {
  return readResults(folder)
    .flatMap((result) => [
      `## Cost of each target, ${result.date.slice(0, 10)}, ${result.cpu}`,
      '',
      `\`node bench/targets.cjs\`, commit ${result.commit}, ${result.compiler}. One thread; sum over the layers of`,
      `the least time of each. Slow layers take ${slowLayer} times as long as under the fastest target or more.`,
      '',
      ...result.nets.flatMap((net) => [
        `| ${net.name}, target | ms | times the fastest | slow layers |`,
        '| --- | --- | --- | --- |',
        ...net.rows.map(({ target, ms, ratio, slow }) => {
          const cell = slow.map((s) => `${s.count} ${s.kernel} ${s.ms.toFixed(1)} ms`).join(', ');
          return `| ${target} | ${ms.toFixed(3)} | ${ratio.toFixed(2)} | ${cell} |`;
        }),
        '',
        ...net.missing.map(({ target, reason }) => `Not run: ${target}: ${reason}.`),
        ...(net.missing.length > 0 ? [''] : []),
      ]),
    ])
    .join('\n');
}

async function main() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: '' },
      runs: { type: 'string', default: '60' },
    },
  });
  const data = dataFolder();
  const head = provenance();
  const all = JSON.parse(lastbit(['targets', '--format', 'json'])).targets.map(({ id }) => id);
  const targets = all.filter((id) => id.includes(values.only));
  const setup = { data, engine: buildEngine(), input: randomInput(), runs: Number(values.runs) };
  const nets = [];
  for (const name of models) nets.push(await measureNet(name, targets, setup));
  writeResult(folder, { ...head, nets });
}

module.exports = { renderTargets };
if (require.main === module) main();
