// SPDX-License-Identifier: Apache-2.0
// Makes test/golden/written.json: every file of the suites of tie_goldens.py as lastbit writes it
// (read, and written again), run under every TFLite runtime and compared with the suite's own
// goldens. Needs the built package and requirements/litert.txt.
//
//     node written_goldens.cjs [OUT]
const { execFileSync } = require('node:child_process');
const { createHash } = require('node:crypto');
const { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { inflateSync } = require('node:zlib');
const { importTflite } = require('../../dist/tflite/import.js');
const { writeTflite } = require('../../dist/tflite/write/write.js');
const { litertPython } = require('./matrix/runtimes.cjs');

const golden = join(__dirname, '../golden');
const suites = ['ties', 'nets', 'wide', 'tails'];
const casesOf = (folder) => JSON.parse(readFileSync(join(folder, 'goldens.json'), 'utf8')).cases;

/** Writes the suite's files again; models.bin and where each lies. */
function rewrite(folder, out) {
  const models = readFileSync(join(folder, 'models.bin'));
  const cases = {};
  const files = [];
  let offset = 0;
  for (const [name, facts] of Object.entries(casesOf(folder))) {
    const original = models.subarray(facts.offset, facts.offset + facts.length);
    const file = writeTflite(importTflite(original, name));
    files.push(file);
    cases[name] = { offset, length: file.length };
    offset += file.length;
  }
  mkdirSync(out, { recursive: true });
  const all = Buffer.concat(files);
  writeFileSync(join(out, 'models.bin'), all);
  writeFileSync(join(out, 'goldens.json'), JSON.stringify({ cases }));
  return createHash('sha256').update(all).digest('hex');
}

/** What each runtime computed: codes one by one, or hashes of activations by name. */
function resultsOf({ results, agreed, runtimes }) {
  if (results === undefined) {
    const all = Object.entries(runtimes);
    return new Map(all.map(([runtime, own]) => [runtime, Object.entries({ ...agreed, ...own })]));
  }
  return new Map(
    results.flatMap(({ runtimes: names, codes }) => {
      const values = Object.entries([...inflateSync(Buffer.from(codes, 'base64'))]);
      return names.map((name) => [name, values]);
    }),
  );
}

/** Operators that compute shapes are no layers, and so are not written. */
const isShape = (tensor) => /^(shape|sizes|batch|packed)_/.test(tensor);

function compare(was, is) {
  const counts = {};
  for (const [name, one] of Object.entries(was)) {
    const again = resultsOf(is[name]);
    for (const [runtime, expected] of resultsOf(one)) {
      const got = new Map(again.get(runtime) ?? []);
      const wanted = expected.filter(([key]) => !isShape(key));
      const row = (counts[runtime] ??= { values: 0, differing: 0 });
      row.values += wanted.length;
      row.differing += wanted.filter(([key, value]) => got.get(key) !== value).length;
    }
  }
  return counts;
}

function main([out = join(golden, 'written.json')]) {
  const { python, reason } = litertPython();
  if (python === undefined) throw new Error(reason);
  const scratch = mkdtempSync(join(tmpdir(), 'lastbit-written-'));
  const record = {};
  for (const suite of suites) {
    const [files, run] = [join(scratch, `${suite}-files`), join(scratch, suite)];
    const sha256 = rewrite(join(golden, suite), files);
    const options = [...(suite === 'ties' ? [] : [`--${suite}`]), '--written', files];
    execFileSync(python, [join(__dirname, 'tie_goldens.py'), run, ...options], { stdio: 'pipe' });
    const counts = compare(casesOf(join(golden, suite)), casesOf(run));
    const unit = suite === 'ties' ? 'codes' : 'hashes of activations';
    record[suite] = { sha256, unit, runtimes: counts };
  }
  rmSync(scratch, { recursive: true });
  const provenance = {
    command: 'node test/oracles/written_goldens.cjs',
    packages: JSON.parse(readFileSync(join(golden, 'ties/goldens.json'), 'utf8')).provenance
      .packages,
    licence: 'Apache-2.0; hashes of files that lastbit writes, and counts',
  };
  writeFileSync(out, `${JSON.stringify({ provenance, suites: record }, null, 2)}\n`);
}

main(process.argv.slice(2));
