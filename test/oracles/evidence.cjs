// SPDX-License-Identifier: Apache-2.0
// Sums the committed results of all oracles into src/targets/evidence.ts, which `lastbit targets --evidence`
// prints: each profile, the runtime that really ran, and how many values were compared.
//
//   node test/oracles/evidence.cjs [--write]
//
// Without --write it says whether the file is what the results give; exit 1 where it is not.
const { readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const prettier = require('prettier');

const root = join(__dirname, '../..');
const file = join(root, 'src/targets/evidence.ts');
const read = (name) => JSON.parse(readFileSync(join(root, name), 'utf8'));

/** Rows of both machines: a profile of VNNI needs one that has it. */
function measured() {
  const own = read('test/oracles/results/matrix.json').rows;
  const other = read('test/oracles/results/xeon-vnni-amx/matrix.json').rows;
  const seen = new Set(own.filter(({ values }) => values).map(({ profile }) => profile));
  return [...own, ...other.filter(({ profile }) => !seen.has(profile))].filter(
    ({ values }) => values > 0,
  );
}

function written() {
  const { provenance, suites } = read('test/golden/written.json');
  return Object.values(suites).flatMap(({ unit, runtimes }) =>
    Object.entries(runtimes).map(([runtime, { values, differing }]) => ({
      profile: '.tflite files that lastbit writes',
      runtime,
      version: provenance.packages.join(', '),
      ...{ unit, values, differing, networks: 1 },
    })),
  );
}

function families() {
  return read('test/oracles/results/families.json').map(({ values, differing }) => ({
    profile: 'onnxruntime@1.30',
    runtime: 'onnxruntime-node on files that lastbit writes',
    version: 'onnxruntime-node 1.30.0',
    ...{ unit: 'values', values, differing },
  }));
}

function summed(rows) {
  const sums = new Map();
  for (const { profile = 'single operators', runtime, version, unit, values, differing } of rows) {
    const key = [profile, runtime, version, unit].join('\n');
    const sum = sums.get(key) ?? {
      profile,
      runtime,
      version,
      unit,
      runs: 0,
      values: 0,
      differing: 0,
    };
    sums.set(key, {
      ...sum,
      runs: sum.runs + 1,
      values: sum.values + values,
      differing: sum.differing + differing,
    });
  }
  return [...sums.values()].sort((a, b) => b.values - a.values);
}

/** The file's text as the results give it. */
async function evidenceText() {
  const rows = summed([...measured(), ...families(), ...written()]);
  const text = `// SPDX-License-Identifier: Apache-2.0
// Written by test/oracles/evidence.cjs from the committed results of the oracles; not edited by hand.
import type { EvidenceRow } from './evidence-row.js';

/** What was compared with which runtime, most values first. */
export const evidenceRows: readonly EvidenceRow[] = ${JSON.stringify(rows)};
`;
  const options = await prettier.resolveConfig(file);
  return prettier.format(text, { ...options, filepath: file });
}

module.exports = { evidenceText };

async function main() {
  const text = await evidenceText();
  if (process.argv.includes('--write')) {
    writeFileSync(file, text);
    return;
  }
  if (readFileSync(file, 'utf8') === text) return;
  console.error('src/targets/evidence.ts is not what the results give; run with --write');
  process.exitCode = 1;
}

if (require.main === module) main();
