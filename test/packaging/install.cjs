// SPDX-License-Identifier: Apache-2.0
// Part of `.ci/run`: packs the package with the engine that this checkout has built, installs both in an
// empty project without any script and without a compiler, and uses them by `require`, by `import`, from
// TypeScript and on the command line. The tarball is another source tree: what it lacks shows only here.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { attempt, emptyProject, pathWith, root, run } = require('./commands.cjs');

const scratch = fs.mkdtempSync(join(tmpdir(), 'lastbit-packaging-'));

/** Says what follows, with the seconds since the last one. */
let since = Date.now();
function done(what) {
  console.log(`${what}: ok, ${((Date.now() - since) / 1000).toFixed(1)} s`);
  since = Date.now();
}

function pack() {
  const out = join(scratch, 'packages');
  run(process.execPath, [join(root, 'native/package/package.cjs'), '--host', '--out', out]);
  const { main, engines } = JSON.parse(fs.readFileSync(join(out, 'packages.json'), 'utf8'));
  return { main: join(out, main.file), engine: join(out, engines[0].file), name: engines[0].name };
}

/** No sources, nothing that a package manager would run, the notices of what is bundled. */
function checkFiles(tarball) {
  const files = run('tar', ['-tzf', tarball])
    .trim()
    .split('\n')
    .map((path) => path.replace(/^package\//, ''));
  const allowed = /^((package\.json|[A-Z]+\.md|LICENSE)$|dist\/|models\/fashion\/)/;
  assert.deepEqual(
    files.filter((path) => !allowed.test(path)),
    [],
  );
  const junk = /\.(test\.|o$|gyp$|tsbuildinfo$|tgz$|log$|pyc$|lbp$)|(^|\/)(test|out|build)\//;
  assert.deepEqual(
    files.filter((path) => junk.test(path)),
    [],
  );
  assert.ok(files.includes('models/fashion/LICENSE-Fashion-MNIST'));
  const { scripts } = JSON.parse(run('tar', ['-xzOf', tarball, 'package/package.json']));
  assert.equal(scripts, undefined);
  done(`${files.length} files`);
}

/** The two judges of packages, and the compiler in each way of resolving modules. */
function checkTypes({ main }, project) {
  const bin = (name) => join(root, 'node_modules/.bin', name);
  run(bin('publint'), ['--strict', main]);
  run(bin('attw'), ['--no-emoji', main]);
  const source =
    `import { Engine, findTarget, quantizeModel, type TargetSpec } from 'lastbit';\n` +
    `const target: TargetSpec = findTarget('tflm');\n` +
    `export const names: string[] = [target.id, Engine.name, quantizeModel.name];\n`;
  for (const name of ['module.mts', 'common.cts', 'bundled.ts']) {
    fs.writeFileSync(join(project, name), source);
  }
  // Declarations are checked, too: a name from a package that users do not have would show.
  const strict = ['--noEmit', '--strict', '--target', 'es2023', '--skipLibCheck', 'false'];
  const options = { cwd: project };
  for (const resolution of ['node16', 'nodenext']) {
    run(bin('tsc'), [...strict, '--module', resolution, 'module.mts', 'common.cts'], options);
  }
  const bundler = ['--module', 'esnext', '--moduleResolution', 'bundler'];
  run(bin('tsc'), [...strict, ...bundler, 'bundled.ts'], options);
  done('publint, attw, TypeScript under node16, nodenext and bundler');
}

/** A project that depends on the two tarballs alone. */
function install({ main, engine }) {
  const project = emptyProject(join(scratch, 'project'));
  const npm = ['install', '--ignore-scripts', '--no-audit', '--no-fund', engine, main];
  run('npm', npm, { cwd: project });
  done('install without scripts');
  return project;
}

/** Names that a user of the package reaches first, and the engine behind them refusing a non-program. */
const use = `
  for (const name of ['Engine', 'ModelError', 'findTarget', 'lower', 'quantizeGraph'])
    if (typeof api[name] !== 'function') throw new Error('no ' + name);
  try { api.Engine.load(new Uint8Array(16)); } catch (error) { console.log(error.name, error.message); }`;

const required = `const api = require('lastbit'); ${use}`;

function checkUse(project) {
  // Nothing but Node: no compiler, no npm.
  const PATH = pathWith(join(scratch, 'bin'), { node: process.execPath });
  const options = { cwd: project, env: { PATH, HOME: join(scratch, 'home') } };
  assert.match(run(process.execPath, ['-e', required], options), /ModelError.*invalid-program/);
  const esm = `import * as api from 'lastbit'; import { Engine } from 'lastbit'; Engine.load; ${use}`;
  const imported = run(process.execPath, ['--input-type=module', '-e', esm], options);
  assert.match(imported, /ModelError.*invalid-program/);
  const { version } = JSON.parse(fs.readFileSync(join(root, 'package.json'), 'utf8'));
  const lastbit = [join(project, 'node_modules/lastbit/dist/cli/main.js')];
  assert.equal(run(process.execPath, [...lastbit, '--version'], options).trim(), version);
  done('require, import, lastbit --version');

  const demo = JSON.parse(run(process.execPath, [...lastbit, 'demo', '--format', 'json'], options));
  assert.match(demo.leftOut, /npm install onnxruntime-node$/);
  assert.ok(demo.nets.every(({ variants }) => variants.length === 2));
  done('demo without onnxruntime-node');
}

/** Without its engine lastbit says which package it wants. */
function checkWithoutEngine({ name }, project) {
  fs.rmSync(join(project, 'node_modules', name), { recursive: true });
  const { output } = attempt(process.execPath, ['-e', required], { cwd: project });
  assert.match(output, /^UsageError \[no-addon\] (\S+): .* run: npm install \1@\S+\n$/);
  done('no engine');
}

try {
  const packed = pack();
  done('pack');
  checkFiles(packed.main);
  const project = install(packed);
  checkTypes(packed, project);
  checkUse(project);
  checkWithoutEngine(packed, project);
} finally {
  fs.rmSync(scratch, { recursive: true, force: true });
}
