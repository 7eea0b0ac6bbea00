// SPDX-License-Identifier: Apache-2.0
// Makes one Python environment for each file of requirements/, with its pinned versions.
//
//     node environments.cjs FOLDER [NAME...]
//
// Where one cannot be made (no such version for this Python or processor, no network), its folder
// holds `reason.txt` instead, and matrix.cjs says so. LASTBIT_PYTHON: the Python to start from.
const { execFileSync } = require('node:child_process');
const { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const requirements = join(__dirname, 'requirements');
const names = readdirSync(requirements)
  .map((file) => file.replace(/\.txt$/, ''))
  .sort();

/** The line of pip's words that says what went wrong. */
function reasonOf(error) {
  const lines = String(error.stderr ?? error.message).split('\n');
  const told = lines.filter((line) => /^(ERROR|error)/.test(line));
  return (told[0] ?? lines.at(-2) ?? 'unknown').replace(/^ERROR: /, '').slice(0, 300);
}

/** @returns undefined, or why there is none */
function make(name, folder) {
  const home = join(folder, name);
  const python = join(home, 'bin/python');
  const reasonFile = join(home, 'reason.txt');
  const done = join(home, 'ready');
  if (existsSync(done)) return undefined;
  mkdirSync(home, { recursive: true });
  const run = (command, args) => execFileSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    run(process.env.LASTBIT_PYTHON ?? 'python3', ['-m', 'venv', '--clear', home]);
    const file = join(requirements, `${name}.txt`);
    const options = ['--quiet', '--no-input', '--disable-pip-version-check'];
    run(python, ['-m', 'pip', 'install', ...options, '-r', file]);
    writeFileSync(done, readFileSync(file));
    return undefined;
  } catch (error) {
    const reason = reasonOf(error);
    writeFileSync(reasonFile, `${reason}\n`);
    return reason;
  }
}

/**
 * The Python of an environment that `FOLDER` holds.
 *
 * @returns its path, or why there is none
 */
function environment(name, folder = process.env.LASTBIT_ORACLES) {
  if (folder === undefined) return { reason: 'LASTBIT_ORACLES is not set (environments.cjs)' };
  const home = join(folder, name);
  if (existsSync(join(home, 'ready'))) return { python: join(home, 'bin/python') };
  const file = join(home, 'reason.txt');
  const reason = existsSync(file) ? readFileSync(file, 'utf8').trim() : 'no such environment';
  return { reason: `not installed: ${reason}` };
}

module.exports = { environment };

if (require.main === module) {
  const [folder, ...wanted] = process.argv.slice(2);
  if (folder === undefined) {
    console.error('usage: node environments.cjs FOLDER [NAME...]');
    process.exitCode = 2;
  } else {
    for (const name of names.filter((one) => wanted.length === 0 || wanted.includes(one))) {
      const reason = make(name, folder);
      console.log(`${name}: ${reason === undefined ? 'ready' : `not installed: ${reason}`}`);
    }
  }
}
