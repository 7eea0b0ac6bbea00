// SPDX-License-Identifier: Apache-2.0
// Results of cases, saved after each one, so that a run that was broken off goes on.
const { execFileSync } = require('node:child_process');
const { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } = require('node:fs');
const { dirname, join } = require('node:path');

const folder = join(__dirname, '..', 'results', 'quantization');

/** The last commit that touched the sources; `+` where they are changed since. */
function commit() {
  const git = (...args) => execFileSync('git', args, { cwd: __dirname, encoding: 'utf8' }).trim();
  try {
    const sources = ['../../src', '../../native'];
    const changed = git('status', '--porcelain', '--untracked-files=no', '--', ...sources);
    return git('log', '-1', '--format=%h', '--', ...sources) + (changed ? '+' : '');
  } catch {
    return 'unknown';
  }
}

/** The results of one table, by the name of the case. */
class Store {
  constructor(name) {
    this.file = join(folder, `${name}.json`);
    this.rows = existsSync(this.file) ? JSON.parse(readFileSync(this.file, 'utf8')).rows : [];
  }

  get(name) {
    return this.rows.find((row) => row.name === name);
  }

  put(name, result) {
    const row = { name, date: new Date().toISOString(), commit: commit(), ...result };
    this.rows = [...this.rows.filter((other) => other.name !== name), row];
    mkdirSync(dirname(this.file), { recursive: true });
    const text = JSON.stringify({ schemaVersion: 1, rows: this.rows }, undefined, 2) + '\n';
    writeFileSync(`${this.file}.part`, text);
    renameSync(`${this.file}.part`, this.file);
  }
}

module.exports = { Store, commit, folder };
