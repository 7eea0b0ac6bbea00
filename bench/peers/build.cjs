// SPDX-License-Identifier: Apache-2.0
// Builds the native peers into build/peers, where `lastbit bench --vs` looks for them.
const { spawnSync } = require('node:child_process');
const { join } = require('node:path');

const output = join(__dirname, '..', '..', 'build', 'peers');
for (const args of [
  ['-S', __dirname, '-B', output],
  ['--build', output, '--parallel', '2'],
]) {
  const { status, error } = spawnSync('cmake', args, { stdio: 'inherit' });
  if (error) console.error(`cmake: ${error.message}; install cmake and a C++17 compiler`);
  if (status !== 0) process.exit(1);
}
