// SPDX-License-Identifier: Apache-2.0
// The command line of the build, from the project's root.
const { spawnSync } = require('node:child_process');
const { join } = require('node:path');

const root = join(__dirname, '..', '..');
const main = join(root, 'dist', 'cli', 'main.js');

/** Runs a lastbit command and reads its JSON; its last line of complaint becomes the error. */
function lastbit(args) {
  const child = spawnSync(process.execPath, [main, ...args, '--format', 'json'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (child.status === 0) return JSON.parse(child.stdout);
  throw new Error(child.stderr.trim().split('\n').at(-1) || `exit ${child.status}`);
}

module.exports = { lastbit, root };
