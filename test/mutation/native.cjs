// SPDX-License-Identifier: Apache-2.0
// Breaks the native code on purpose, one place at a time, and says which test notices.
//
//   node test/mutation/native.cjs [--only TEXT] [--json FILE] [--after FILE]
//
// Each mutant of native-mutants.json replaces one line. It is built in a copy of the sources (build/mutation) and
// runs against the kernel check tool, then GoogleTest, then, where neither noticed, jest's tests of the engine
// and the solvers on an addon that holds it. A mutant with `equivalent` changes nothing that a test could
// see; the reason stands there. With `--after`, what an earlier run has killed is taken from its JSON. Exits with 1 if any other mutant lives. Needs `npm ci`, GoogleTest and CMake.
const { spawnSync } = require('node:child_process');
const { cpSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } = require('node:fs');
const { join, resolve } = require('node:path');
const { parseArgs } = require('node:util');

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    json: { type: 'string' },
    after: { type: 'string' },
  },
});
const root = join(__dirname, '../..');
const copy = join(root, 'build', 'mutation');
const out = join(copy, 'out');
const jestTests = [
  'engine/engine',
  'engine/agreement',
  'engine/dead',
  'engine/solver',
  'engine/input',
];

/** True if the command ended well in time; a mutant may hang. */
function succeeds(command, args, { seconds, ...more } = {}) {
  const { status } = spawnSync(command, args, {
    cwd: copy,
    stdio: 'ignore',
    timeout: (seconds ?? 600) * 1000,
    killSignal: 'SIGKILL',
    ...more,
  });
  return status === 0;
}

/** Only what differs is copied: a file that an earlier run put back has to stay newer than what was built of its mutant. */
function differs(from, to) {
  if (statSync(from).isDirectory() || !existsSync(to)) return true;
  return !readFileSync(from).equals(readFileSync(to));
}

function prepare() {
  mkdirSync(copy, { recursive: true });
  for (const part of ['native', 'CMakeLists.txt', 'test/native', 'test/kernels', 'package.json']) {
    cpSync(join(root, part), join(copy, part), { recursive: true, filter: differs });
  }
  // -O1 builds in a third of the time and means the same.
  const flags = ['-DCMAKE_BUILD_TYPE=Mutation', '-DCMAKE_CXX_FLAGS_MUTATION=-O1 -DNDEBUG'];
  const ask = (what) => {
    const script = `require('${what}').include_dir`;
    const { stdout } = spawnSync(process.execPath, ['-p', script], { cwd: root, encoding: 'utf8' });
    return resolve(root, stdout.trim());
  };
  const headers = [ask('node-api-headers'), ask('node-addon-api')].join(';');
  const ok =
    succeeds('cmake', [
      '-S',
      '.',
      '-B',
      out,
      '-G',
      'Ninja',
      '-DLASTBIT_TESTS=ON',
      ...flags,
      `-DCMAKE_JS_INC=${headers}`,
    ]) && succeeds('cmake', ['--build', out], { seconds: 1800 });
  if (!ok || noticedBy() !== undefined)
    throw new Error('the sources as they are do not build or fail their tests');
}

/** The first test that fails, or undefined. */
function noticedBy() {
  if (!succeeds('cmake', ['--build', out])) return 'compiler';
  if (!succeeds(join(out, 'check'), [], { seconds: 300 })) return 'check';
  if (!succeeds(join(out, 'native_tests'), ['--gtest_brief=1'], { seconds: 300 }))
    return 'native_tests';
  const env = { ...process.env, LASTBIT_ENGINE: join(out, 'lastbit.node') };
  const jest = [join(root, 'node_modules/jest/bin/jest.js'), '--silent', '--bail', ...jestTests];
  if (!succeeds(process.execPath, jest, { cwd: root, env, seconds: 900 })) return 'jest';
  return undefined;
}

/** Replaces the one line that reads so, and what the caller then does is undone. */
function withMutant({ file, from, to }, action) {
  const path = join(copy, file);
  const text = readFileSync(join(root, file), 'utf8');
  const lines = text.split('\n');
  const at = lines.map((line, i) => (line.trim() === from ? i : -1)).filter((i) => i >= 0);
  if (at.length !== 1) throw new Error(`${file}: expected one line "${from}", found ${at.length}`);
  lines[at[0]] = lines[at[0]].replace(from, () => to);
  writeFileSync(path, lines.join('\n'));
  try {
    return action();
  } finally {
    writeFileSync(path, text);
  }
}

/** Tests only grow: what one of them noticed once is noticed again. */
function killedBefore({ file, from, to }) {
  if (options.after === undefined) return undefined;
  const { results } = JSON.parse(readFileSync(options.after, 'utf8'));
  const same = (one) => one.file === file && one.from === from && one.to === to;
  return results.find(same)?.killedBy ?? undefined;
}

function main() {
  const mutants = JSON.parse(readFileSync(join(__dirname, 'native-mutants.json'), 'utf8'));
  const chosen = mutants.filter(({ file, from }) => `${file} ${from}`.includes(options.only));
  prepare();
  const results = chosen.map((mutant) => {
    const killedBy = killedBefore(mutant) ?? withMutant(mutant, noticedBy) ?? null;
    console.log(`${killedBy ?? 'LIVES'}  ${mutant.file}  ${mutant.from}  =>  ${mutant.to}`);
    return { ...mutant, killedBy };
  });
  const living = results.filter(({ killedBy, equivalent }) => killedBy === null && !equivalent);
  const equal = results.filter(({ killedBy, equivalent }) => killedBy === null && equivalent);
  console.log(
    `${results.length} mutants, ${results.length - living.length - equal.length} killed, ${equal.length} equivalent, ${living.length} live`,
  );
  if (options.json)
    writeFileSync(options.json, `${JSON.stringify({ schemaVersion: 1, results }, undefined, 2)}\n`);
  process.exitCode = living.length === 0 ? 0 : 1;
}

main();
