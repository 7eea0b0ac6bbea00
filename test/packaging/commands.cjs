// SPDX-License-Identifier: Apache-2.0
// Running other programs, for the tests of packaging.
const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const { mkdirSync, symlinkSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '../..');

/** Runs a command to its end; returns status and both outputs as one text. */
function attempt(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    ...options,
  });
  return { status, stdout: stdout ?? '', output: `${stdout ?? ''}${stderr ?? ''}${error ?? ''}` };
}

/** The standard output of a command that has to succeed. */
function run(command, args, options) {
  const { status, stdout, output } = attempt(command, args, options);
  assert.equal(status, 0, `${command} ${args.join(' ')} ended with ${status}:\n${output}`);
  return stdout;
}

/** Seconds that an action takes, beside its result. */
function timed(action) {
  const begin = performance.now();
  const result = action();
  return { result, seconds: Math.round((performance.now() - begin) / 100) / 10 };
}

/** A folder to stand alone on PATH: the given programs by their names there, and nothing else. */
function pathWith(folder, programs) {
  mkdirSync(folder, { recursive: true });
  for (const [name, file] of Object.entries(programs)) symlinkSync(file, join(folder, name));
  return folder;
}

/** A project without dependencies. */
function emptyProject(folder) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "name": "empty", "private": true }\n');
  return folder;
}

module.exports = { root, attempt, run, timed, pathWith, emptyProject };
