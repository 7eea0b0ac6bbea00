// SPDX-License-Identifier: Apache-2.0
// Part of `.ci/run`: packs the package, installs the tarball in an empty project (its addon is built
// there, by CMake, or with --node-gyp without it), uses it by `require`, `import` and on the command
// line, and walks the other branches of native/install.cjs. Expects a built dist/. The tarball is
// another source tree: what it lacks shows only here.
const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const { tmpdir } = require('node:os');
const { delimiter, join } = require('node:path');

const root = join(__dirname, '..');
const byNodeGyp = process.argv.includes('--node-gyp');
const scratch = fs.mkdtempSync(join(tmpdir(), 'lastbit-packaging-'));

/** Runs a command to its end; returns status and both outputs as one text. */
function attempt(command, args, options = {}) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', ...options });
  return { status, output: `${stdout ?? ''}${stderr ?? ''}` };
}

/** The same, of a command that has to succeed. */
function run(command, args, options) {
  const { status, output } = attempt(command, args, options);
  assert.equal(status, 0, `${command} ${args.join(' ')} ended with ${status}:\n${output}`);
  return output;
}

/** Says what follows, with the seconds since the last one. */
let since = Date.now();
function done(what) {
  console.log(`${what}: ok, ${((Date.now() - since) / 1000).toFixed(1)} s`);
  since = Date.now();
}

/** A PATH on which only the given scripts and node are found. */
function pathWith(name, scripts) {
  const directory = join(scratch, name);
  fs.mkdirSync(directory);
  fs.symlinkSync(process.execPath, join(directory, 'node'));
  for (const [command, text] of Object.entries(scripts)) {
    fs.writeFileSync(join(directory, command), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
  return directory;
}

function pack() {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', scratch];
  const { status, stdout } = spawnSync('npm', args, { cwd: root, encoding: 'utf8' });
  assert.equal(status, 0);
  const [{ filename, files }] = JSON.parse(stdout);
  return { tarball: join(scratch, filename), files: files.map(({ path }) => path) };
}

function checkFiles(files) {
  const allowed =
    /^((package\.json|CMakeLists\.txt|binding\.gyp|[A-Z]+\.md|LICENSE)$|dist\/|native\/|prebuilds\/|models\/fashion\/)/;
  assert.deepEqual(
    files.filter((path) => !allowed.test(path)),
    [],
  );
  const junk =
    /\.(test\.|o$|tsbuildinfo$|tgz$|log$|map$|pyc$|lbp$)|_test\.cc$|(^|\/)(test|out|build)\//;
  assert.deepEqual(
    files.filter((path) => junk.test(path)),
    [],
  );
  // A stale dist/ would ship modules that the sources no longer have.
  const orphan = (path) =>
    /^dist\/.*\.js$/.test(path) &&
    !fs.existsSync(join(root, path.replace(/^dist/, 'src').replace(/\.js$/, '.ts')));
  assert.deepEqual(
    files.filter(orphan),
    [],
    'dist/ has modules without a source; remove it and build again',
  );
  const sources = run(process.execPath, ['native/sources.cjs'], { cwd: root }).trim().split('\n');
  assert.deepEqual(
    sources.filter((path) => !files.includes(path)),
    [],
  );
}

/** A project that depends on the tarball alone; its addon is built on the way. */
function install(tarball) {
  const project = join(scratch, 'project');
  fs.mkdirSync(project);
  fs.writeFileSync(join(project, 'package.json'), '{ "name": "empty", "private": true }\n');
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' };
  if (byNodeGyp) env.PATH = `${pathWith('no-cmake', { cmake: 'exit 1' })}${delimiter}${env.PATH}`;
  run('npm', ['install', '--no-audit', '--no-fund', tarball], { cwd: project, env });
  const addon = join(project, 'node_modules/lastbit/build/Release/lastbit.node');
  assert.ok(fs.existsSync(addon), 'no addon was built');
  const cmake = fs.existsSync(join(project, 'node_modules/lastbit/build/CMakeCache.txt'));
  assert.equal(cmake, !byNodeGyp, 'the addon was built by the other tool');
  return { project, addon };
}

/** Names that a user of the package reaches first, and the addon behind them refusing a non-program. */
const use = `
  for (const name of ['Engine', 'ModelError', 'findTarget', 'lower', 'quantizeGraph'])
    if (typeof api[name] !== 'function') throw new Error('no ' + name);
  try { api.Engine.load(new Uint8Array(16)); } catch (error) { console.log(error.name, error.message); }`;

function checkUse(project) {
  const cjs = `const api = require('lastbit'); ${use}`;
  assert.match(run(process.execPath, ['-e', cjs], { cwd: project }), /ModelError.*invalid-program/);
  const esm = `import * as api from 'lastbit'; import { Engine } from 'lastbit'; Engine.load; ${use}`;
  const imported = run(process.execPath, ['--input-type=module', '-e', esm], { cwd: project });
  assert.match(imported, /ModelError.*invalid-program/);
  const { version } = JSON.parse(fs.readFileSync(join(root, 'package.json'), 'utf8'));
  const printed = run('npx', ['--no-install', 'lastbit', '--version'], { cwd: project });
  assert.ok(printed.includes(version), `lastbit --version printed ${printed}`);
}

/** install.cjs where there is no compiler: with a prebuilt addon it is content, without it says why. */
function checkPrebuiltAndNone({ project, addon }) {
  const installed = join(project, 'node_modules/lastbit');
  const prebuilds = join(installed, `prebuilds/${process.platform}-${process.arch}`);
  fs.mkdirSync(prebuilds, { recursive: true });
  fs.renameSync(addon, join(prebuilds, 'lastbit.node'));
  fs.rmSync(join(installed, 'build'), { recursive: true });
  const env = { ...process.env, PATH: pathWith('no-tools', {}) };
  const script = [join(installed, 'native/install.cjs')];
  run(process.execPath, script, { cwd: installed, env });
  assert.ok(!fs.existsSync(join(installed, 'build')), 'built although a prebuilt addon is there');
  checkUse(project);
  done('prebuilt addon');

  fs.rmSync(join(installed, 'prebuilds'), { recursive: true });
  const none = attempt(process.execPath, script, { cwd: installed, env });
  assert.equal(none.status, 1);
  assert.match(none.output, /no prebuilt addon .* and building it failed/);
  const loading = run(process.execPath, ['-e', `const api = require('lastbit'); ${use}`], {
    cwd: project,
  });
  assert.match(loading, /UsageError.*no-addon/);
  done('neither addon nor compiler');
}

try {
  const { tarball, files } = pack();
  checkFiles(files);
  done(`tarball of ${files.length} files, ${Math.round(fs.statSync(tarball).size / 1000)} kB`);
  const installed = install(tarball);
  done(`install with ${byNodeGyp ? 'node-gyp' : 'CMake'}`);
  checkUse(installed.project);
  done('require, import, lastbit --version');
  checkPrebuiltAndNone(installed);
} finally {
  fs.rmSync(scratch, { recursive: true, force: true });
}
