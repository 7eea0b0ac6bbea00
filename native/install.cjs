// SPDX-License-Identifier: Apache-2.0
// Install step of a checkout: builds the addon by CMake, else by node-gyp, else says what to do. Published
// packages have no install step: package managers run none (`native/package/`).
const { existsSync } = require('node:fs');
const { join } = require('node:path');
const { spawnSync } = require('node:child_process');

const root = join(__dirname, '..');

/** Runs a command with its output shown; true if it ended with 0. */
function run(command, args) {
  const options = { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' };
  return spawnSync(command, args, options).status === 0;
}

function hasCommand(command) {
  return (
    spawnSync(command, ['--version'], { stdio: 'ignore', shell: process.platform === 'win32' })
      .status === 0
  );
}

function buildWithCMake() {
  if (!hasCommand('cmake')) return false;
  const bin = require.resolve('cmake-js/bin/cmake-js');
  return run(process.execPath, [bin, 'compile', '--directory', root]);
}

/** npm puts its own node-gyp on the PATH of install scripts. */
function buildWithNodeGyp() {
  const headers = existsSync('/usr/include/node/node_api.h') ? ['--nodedir=/usr'] : [];
  return run('node-gyp', ['rebuild', ...headers]);
}

if (!buildWithCMake() && !buildWithNodeGyp()) {
  console.error(
    'lastbit: building the native engine failed (see above).\n' +
      'It needs a C++17 compiler, make and either cmake 3.18+ or Python 3 for node-gyp.',
  );
  process.exitCode = 1;
}
