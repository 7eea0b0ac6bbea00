// SPDX-License-Identifier: Apache-2.0
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { resultsPage } from '../../bench/page.cjs';
import type { BenchDocument, Peer } from '../../src/bench/document.js';
import { reached, renderResults, type ResultFile } from '../../src/bench/results.js';

const peer = (name: string, ratio: number): Peer => ({
  name,
  version: '1',
  p50Ms: 2 * ratio,
  p90Ms: 3,
  p99Ms: 4,
  minMs: 1,
  runs: 10,
  ratio,
  ratioSpread: { median: ratio, p10: ratio - 0.1, p90: ratio + 0.1 },
  top1Agreement: 100,
});

const document = (peers: readonly Peer[], quiet: boolean): BenchDocument => ({
  models: {},
  network: [],
  model: 'net',
  target: 'tflm@1',
  cpu: 'cpu',
  isa: 'vnni',
  threads: 1,
  runs: 10,
  p50Ms: 2,
  p90Ms: 2.5,
  p99Ms: 3,
  minMs: 1.9,
  loadMs: 5,
  peakRssMiB: 60,
  addedRssMiB: 9,
  arenaMiB: 1,
  layers: [],
  exact: { compared: 100, differing: 0, against: ['reference'], inputs: 1 },
  machine: { jitter: quiet ? 1 : 3, othersBusyCores: 0, quiet },
  node: 'v20',
  peers,
});

const file = (date: string, quiet: boolean): ResultFile => ({
  schemaVersion: 1,
  date,
  cpu: 'cpu x 2',
  commit: 'abc',
  dirty: false,
  compiler: 'g++',
  node: 'v20',
  seed: 1,
  cases: [
    {
      name: 'net 1T',
      goals: { ort: { must: 1.5, goal: 2 }, absent: { must: 1 } },
      document: document([peer('ort', 1.75), { name: 'form', excluded: 'refused | odd' }], quiet),
    },
  ],
  missing: [{ name: 'other', reason: 'no file' }],
});

test('the page shows what was reached, what was left out, and whether the machine was busy', () => {
  const page = renderResults([
    file('2026-01-01T00:00:00Z', true),
    file('2026-02-01T00:00:00Z', false),
  ]);
  expect(page.indexOf('## 2026-02-01')).toBeLessThan(page.indexOf('## 2026-01-01'));
  expect(page).toContain('| net 1T | ort | 1.75x | 1.50x | 2.00x | must |');
  expect(page).toContain('| net 1T | absent | not run | 1.00x |  | unknown |');
  expect(page).toContain('1.75x (1.65 to 1.85)');
  expect(page).toContain('- left out: form: refused | odd');
  expect(page).toContain('machine busy in 1 of the cases');
  expect(page).toContain('0 of 100');
  expect(page).toContain('Not run: other: no file.');
});

test.each([
  [2, 1.5, 2, 'goal'],
  [1.7, 1.5, 2, 'must'],
  [1.4, 1.5, 2, 'no'],
  [1.4, undefined, 2, 'not the goal'],
  [1.4, 1.1, undefined, 'must'],
  [undefined, 1, 2, 'unknown'],
])('ratio %s against must %s and goal %s: %s', (ratio, must, goal, word) => {
  expect(reached(ratio, must, goal)).toBe(word);
});

const folder = join(__dirname, '../../bench');
const committed = existsSync(join(folder, 'results'))
  ? readdirSync(join(folder, 'results')).filter((name) => name.endsWith('.json'))
  : [];

(committed.length === 0 ? test.skip : test)('RESULTS.md is what its JSON files say', () => {
  const files = committed.map(
    (name) => JSON.parse(readFileSync(join(folder, 'results', name), 'utf8')) as ResultFile,
  );
  expect(readFileSync(join(folder, 'RESULTS.md'), 'utf8')).toBe(resultsPage(renderResults));
  for (const { cases } of files) {
    for (const { document: found } of cases) expect(found.exact.differing).toBe(0);
  }
});
