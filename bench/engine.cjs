// SPDX-License-Identifier: Apache-2.0
// The engine as a process (bench/engine.cc): builds it from the addon's library and talks to it.
const { spawn, spawnSync } = require('node:child_process');
const { randomBytes } = require('node:crypto');
const { existsSync, mkdirSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { createInterface } = require('node:readline');
const { root, work } = require('./prepare.cjs');

/** Compiles bench/engine.cc with a core library; returns the program's path. */
function buildEngine(library = join(root, 'build', 'libcore.a')) {
  if (!existsSync(library)) throw new Error(`${library}: not there; run npm run build:native`);
  mkdirSync(work, { recursive: true });
  const program = join(work, 'engine');
  const include = ['native', 'bench'].map((folder) => `-I${join(root, folder)}`);
  const sources = [join(__dirname, 'engine.cc'), library, '-lpthread'];
  const { status, stderr } = spawnSync(
    'c++',
    ['-std=c++17', '-O2', '-DNDEBUG', ...include, ...sources, '-o', program],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`c++: ${stderr}`);
  return program;
}

/** A file of random input codes of a 224 x 224 x 3 image. */
function randomInput() {
  mkdirSync(work, { recursive: true });
  const file = join(work, 'input.bin');
  writeFileSync(file, randomBytes(224 * 224 * 3));
  return file;
}

/** A program that speaks as bench/peers/serve.h says. */
class Timed {
  constructor(program, args) {
    this.child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }
  async line() {
    const { value, done } = await this.lines.next();
    if (done) throw new Error('the process ended');
    return JSON.parse(value);
  }
  async start() {
    this.ready = await this.line();
    if (this.ready.refused) throw new Error(this.ready.refused);
    return this;
  }
  /** Milliseconds of `count` runs. */
  run(count) {
    this.child.stdin.write(`${count}\n`);
    return this.line();
  }
  /** Ends the process; `last` waits for one more line of it. */
  async close(last = false) {
    this.child.stdin.end();
    return last ? this.line() : undefined;
  }
}

const open = (program, args) => new Timed(program, args).start();

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** Blocks of runs in turns; the milliseconds of each contender. */
async function inTurns(contenders, blocks, runs) {
  const times = contenders.map(() => []);
  for (let block = 0; block < blocks; block++) {
    for (const [i, contender] of contenders.entries()) {
      times[i].push(...(await contender.run(runs)));
    }
  }
  return times;
}

module.exports = { buildEngine, inTurns, median, open, randomInput };
