// SPDX-License-Identifier: Apache-2.0
// What the matrix found, as results/matrix.json and results/matrix.md, written after every row, so
// that a run that was stopped can go on.
const { execFileSync } = require('node:child_process');
const { existsSync, mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const { cpus } = require('node:os');
const { dirname, join } = require('node:path');

const root = join(__dirname, '../../..');
const git = (...args) => execFileSync('git', ['-C', root, ...args], { encoding: 'utf8' }).trim();

/** What decides the bits: the last change of the sources and the processor. */
function situation() {
  const commit = git('log', '-1', '--format=%h', '--', 'src', 'native');
  return { commit, cpu: cpus()[0]?.model.trim() ?? process.arch, node: process.version };
}

/** One row of the table. */
function line(row) {
  const { name, runtime, version, profile, images, unit, values, differing } = row;
  const result =
    row.skipped !== undefined
      ? `skipped: ${row.skipped}`
      : row.failed !== undefined
        ? `FAILED: ${row.failed}`
        : `${values.toLocaleString('en')} ${unit}, ${differing} differ`;
  const cells = [name, version ?? runtime, profile ?? '', images ?? '', result];
  return `| ${cells.map((cell) => String(cell).replaceAll('|', '/')).join(' | ')} |`;
}

const head = (titles) => [`| ${titles.join(' | ')} |`, `|${' --- |'.repeat(titles.length)}`];

function markdown({ command, rows }) {
  const networks = rows.filter(({ kind }) => kind === 'network');
  const goldens = rows.filter(({ kind }) => kind === 'golden');
  const done = networks.filter(({ values }) => values !== undefined);
  const sum = (key) => done.reduce((total, row) => total + row[key], 0).toLocaleString('en');
  const places = [...new Set(rows.map(({ cpu, commit, date }) => `${cpu}, ${commit}, ${date}`))];
  return [
    '# The runtimes against their profiles',
    '',
    `Written by \`${command}\`. Processor, last change of the sources, day:`,
    ...places.map((place) => `- ${place}`),
    '',
    '## Networks, every activation',
    '',
    `${done.length} runs, ${sum('values')} values, ${sum('differing')} differ.`,
    '',
    ...head(['network and runtime', 'version', 'profile', 'images', 'result']),
    ...networks.map(line),
    '',
    '## Goldens, made again',
    '',
    '`npm test` compares lastbit with what is committed; here what is committed is compared with the',
    'runtime.',
    '',
    ...head(['golden', 'version', 'profile', 'images', 'result']),
    ...goldens.map(line),
    '',
  ].join('\n');
}

class Results {
  /**
   * @param folder of matrix.json and matrix.md; undefined: nothing is kept
   * @param resume whether rows of the same sources and processor are taken as they are
   */
  constructor(folder, resume, command) {
    this.folder = folder;
    this.command = command;
    this.here = { ...situation(), date: new Date().toISOString().slice(0, 10) };
    this.rows = [];
    const file = folder && join(folder, 'matrix.json');
    if (resume && file && existsSync(file)) {
      const { rows } = JSON.parse(readFileSync(file, 'utf8'));
      const { cpu, commit } = this.here;
      this.rows = rows.filter((row) => row.cpu === cpu && row.commit === commit);
    }
  }

  /** Whether a row needs no other run. */
  has(label) {
    return this.rows.some((row) => row.label === label && row.values !== undefined);
  }

  add(row) {
    const { cpu, commit, date } = this.here;
    this.rows = [
      ...this.rows.filter(({ label }) => label !== row.label),
      { ...row, cpu, commit, date },
    ];
    if (this.folder === undefined) return;
    mkdirSync(this.folder, { recursive: true });
    const { command, rows } = this;
    const record = { schemaVersion: 1, command, rows };
    writeFileSync(join(this.folder, 'matrix.json'), `${JSON.stringify(record, null, 1)}\n`);
    writeFileSync(join(this.folder, 'matrix.md'), markdown(record));
  }
}

module.exports = { Results, results: join(dirname(__dirname), 'results') };
