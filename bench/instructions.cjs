// SPDX-License-Identifier: Apache-2.0
// Instructions of one run by tier, counted by callgrind: times are noisy, these are not.
//   node bench/instructions.cjs [--write] [--library build-ci/libcore.a]
// Compares with bench/instructions.json and fails where a run takes more than 2 % more; fewer are
// said, so that the file is written again. Another compiler counts otherwise and only reports.
// Needs valgrind, LASTBIT_DATA and a native build.
const { spawnSync } = require('node:child_process');
const { readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { parseArgs } = require('node:util');
const { compiler, convert, dataFolder, imagenetCases, prepare, work } = require('./prepare.cjs');
const { buildEngine, randomInput } = require('./engine.cjs');

const file = join(__dirname, 'instructions.json');
const tolerance = 0.02;
const tier = 'avx2';
const models = ['v1_1.0', 'v2_1.0', 'v1_legacy_u8', 'v2_legacy_u8'];

const { values: options } = parseArgs({
  options: { write: { type: 'boolean', default: false }, library: { type: 'string' } },
});

/** Instructions of one Engine::run. */
function count(engine, program, input) {
  const { status, stderr } = spawnSync(
    'valgrind',
    [
      '--tool=callgrind',
      '--toggle-collect=lastbit::exec::Engine::run(*',
      `--callgrind-out-file=${join(work, 'callgrind.out')}`,
      ...[engine, program, input, '1', tier],
    ],
    { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const collected = /Collected\s*:\s*(\d+)/.exec(stderr ?? '');
  if (status !== 0 || !collected) throw new Error(`valgrind: ${stderr}`);
  return Number(collected[1]);
}

function countAll() {
  const data = dataFolder();
  const engine = buildEngine(options.library);
  const input = randomInput();
  const cases = imagenetCases().models;
  return Object.fromEntries(
    models.map((name) => {
      const program = convert(prepare(name, cases[name], data), name);
      return [name, count(engine, program, input)];
    }),
  );
}

function compare(recorded, counts) {
  const same = recorded.compiler === compiler();
  if (!same) console.log(`recorded by ${recorded.compiler}, this is ${compiler()}: no verdict`);
  let failed = false;
  for (const [name, now] of Object.entries(counts)) {
    const before = recorded.counts[name];
    const change = now / before - 1;
    const bad = change > tolerance;
    failed ||= bad;
    const verdict = bad ? 'MORE' : change < -tolerance ? 'fewer: --write' : 'ok';
    const percent = `${change >= 0 ? '+' : ''}${(100 * change).toFixed(2)} %`;
    console.log(`${name} ${tier}: ${now} (recorded ${before}, ${percent}) ${verdict}`);
  }
  return failed && same ? 1 : 0;
}

const counts = countAll();
if (options.write) {
  const record = { tier, compiler: compiler(), counts };
  writeFileSync(file, JSON.stringify(record, undefined, 2) + '\n');
} else {
  process.exitCode = compare(JSON.parse(readFileSync(file, 'utf8')), counts);
}
