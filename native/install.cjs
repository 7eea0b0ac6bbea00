// SPDX-License-Identifier: Apache-2.0
// Install step: a prebuilt addon, else CMake, else node-gyp, else a message that says what to do.
// A git checkout always builds, so that an edit to native/ cannot be shadowed by an older binary.
const { existsSync } = require('node:fs');
const { join } = require('node:path');
const { spawnSync } = require('node:child_process');

const root = join(__dirname, '..');

/** Runs a command with its output shown; true if it ended with 0. */
function run(command, args) {
  const options = { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' };
  return spawnSync(command, args, options).status === 0;
}

/** True if a built or prebuilt addon for this platform is there and loads. */
function prebuiltLoads() {
  try {
    require('node-gyp-build')(root);
    return true;
  } catch {
    return false;
  }
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

function install() {
  const fromSource =
    existsSync(join(root, '.git')) || process.env.npm_config_build_from_source === 'true';
  if (!fromSource && prebuiltLoads()) return 0;
  if (buildWithCMake() || buildWithNodeGyp()) return 0;
  console.error(
    'lastbit: no prebuilt addon for this platform, and building it failed (see above).\n' +
      'It needs a C++17 compiler, make and either cmake 3.18+ or Python 3 for node-gyp.',
  );
  return 1;
}

process.exitCode = install();
