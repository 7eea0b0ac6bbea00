// SPDX-License-Identifier: Apache-2.0
// Every runtime that is at hand against its profile: whole networks, every activation, and the
// committed goldens made again. Prints a line for each, and why the others are skipped. Needs the
// built package.
//
//     node matrix.cjs [--record [FOLDER]] [--resume] [NAME...]     only lines that hold every NAME
//
// --record keeps what was found in results/matrix.json and .md (or in FOLDER); --resume goes on
// where a recorded run of the same sources was stopped. LASTBIT_DATA: real networks.
// LASTBIT_ORACLES: the folder that environments.cjs filled; LASTBIT_ORACLE_PYTHON: a Python with
// requirements/litert.txt, instead of that environment.
const { execFileSync } = require('node:child_process');
const { createHash } = require('node:crypto');
const { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { basename, join } = require('node:path');
const { findTarget } = require('../../dist/targets/index.js');
const { goldens, regenerate, versionOf } = require('./matrix/goldens.cjs');
const { networks } = require('./matrix/networks.cjs');
const { Results, results } = require('./matrix/results.cjs');

/** compare.cjs's counts for one target. */
function compare(file, inputs, out, profile) {
  const reals = file.endsWith('.onnx') ? ['--reals'] : [];
  const script = join(__dirname, 'compare.cjs');
  const text = execFileSync(process.execPath, [script, file, inputs, out, profile, ...reals]);
  const found = /^\S+: (\d+) tensors, (\d+) values, (\d+) differing/.exec(text.toString());
  if (found === null) throw new Error(text.toString().trim());
  const [tensors, values, differing] = found.slice(1).map(Number);
  return { tensors, unit: 'values', values, differing };
}

/** The last line of what a failed command wrote, or the error's own words. */
function wordsOf(error) {
  const told = String(error.stderr ?? '')
    .trim()
    .split('\n')
    .at(-1);
  return (told || error.message.split('\n')[0]).slice(0, 300);
}

class Matrix {
  constructor(kept, wanted) {
    this.kept = kept;
    this.wanted = wanted;
    this.failed = 0;
  }

  isWanted(label) {
    return this.wanted.every((word) => label.includes(word)) && !this.kept.has(label);
  }

  /** Runs one row; `run` gives its counts. */
  row(facts, why, run) {
    const { label } = facts;
    if (why !== undefined) {
      console.log(`${label}: skipped, ${why}`);
      this.kept.add({ ...facts, skipped: why });
      return;
    }
    const begin = Date.now();
    try {
      const counts = run();
      const { unit, values, differing } = counts;
      console.log(`${label}: ${values} ${unit}, ${differing} differing`);
      const seconds = Math.round((Date.now() - begin) / 1000);
      this.kept.add({ ...facts, ...counts, seconds });
      this.failed += values > 0 && differing === 0 ? 0 : 1;
    } catch (error) {
      const words = wordsOf(error);
      console.log(`${label}: failed, ${words}`);
      this.kept.add({ ...facts, failed: words });
      this.failed += 1;
    }
  }

  /** A network under one runtime, and then the one that reads its last tensor. */
  network(file, inputFile, runtime, { why, next }, scratch) {
    const facts = {
      kind: 'network',
      label: `${basename(file)} under ${runtime.name}`,
      name: `${basename(file)}, ${runtime.name}`,
      runtime: runtime.name,
      profile: findTarget(runtime.profile).id,
    };
    const out = join(scratch, basename(file));
    this.row(facts, why ?? runtime.why, () => {
      runtime.run(file, inputFile(), out);
      const { version, images } = JSON.parse(readFileSync(join(out, 'tensors.json'), 'utf8'));
      const model = createHash('sha256').update(readFileSync(file)).digest('hex');
      return { version, images, model, ...compare(file, inputFile(), out, runtime.profile) };
    });
    if (next !== undefined && existsSync(join(out, 'tensors.json'))) {
      const { tensors } = JSON.parse(readFileSync(join(out, 'tensors.json'), 'utf8'));
      const last = join(out, tensors.at(-1).file);
      this.network(next, () => last, runtime, { why }, scratch);
    }
    rmSync(out, { recursive: true, force: true });
  }

  async networks() {
    for (const { file, runtimes, inputs, ...more } of networks()) {
      const scratch = mkdtempSync(join(tmpdir(), 'lastbit-matrix-'));
      const input = join(scratch, 'inputs.bin');
      for (const runtime of runtimes) {
        const files = more.next === undefined ? [file] : [file, more.next];
        const labels = files.map((one) => `${basename(one)} under ${runtime.name}`);
        if (!labels.some((label) => this.isWanted(label))) continue;
        const runs = (more.why ?? runtime.why) === undefined;
        if (runs && !existsSync(input)) writeFileSync(input, Buffer.concat(await inputs()));
        this.network(file, () => input, runtime, more, scratch);
      }
      rmSync(scratch, { recursive: true });
    }
  }

  goldens() {
    const scratch = mkdtempSync(join(tmpdir(), 'lastbit-matrix-'));
    for (const golden of goldens()) {
      const { name, runtime, why } = golden;
      const label = `golden ${name} by ${runtime}`;
      if (!this.isWanted(label)) continue;
      const facts = { kind: 'golden', label, name, runtime, version: versionOf(golden) };
      this.row(facts, why, () => regenerate(golden, scratch));
    }
    rmSync(scratch, { recursive: true });
  }
}

async function main(args) {
  const at = args.indexOf('--record');
  const folder = at >= 0 && args[at + 1]?.includes('/') ? args.splice(at + 1, 1)[0] : results;
  const wanted = args.filter((arg) => !arg.startsWith('--'));
  const unknown = args.find((arg) => arg.startsWith('--') && !/^--(record|resume)$/.test(arg));
  if (unknown !== undefined) throw new Error(`unknown option ${unknown}`);
  const command = 'node test/oracles/matrix.cjs --record';
  const kept = new Results(at >= 0 ? folder : undefined, args.includes('--resume'), command);
  const matrix = new Matrix(kept, wanted);
  matrix.goldens();
  await matrix.networks();
  if (matrix.failed > 0) process.exitCode = 1;
}

main(process.argv.slice(2)).catch((error) => {
  console.error(`error: ${error.message}`);
  process.exitCode = 2;
});
