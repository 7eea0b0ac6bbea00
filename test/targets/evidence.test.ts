// SPDX-License-Identifier: Apache-2.0
// `targets --evidence`: what the committed results of the oracles give, and nothing else.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

import { targetEvidence } from '../../src/pipeline/targets.js';
import { lastbit } from '../cli/captured.js';
import { allTargets } from '../../src/targets/index.js';

test('the table is what the results give', () => {
  const script = join(__dirname, '../oracles/evidence.cjs');
  expect(() => execFileSync(process.execPath, [script], { stdio: 'pipe' })).not.toThrow();
});

test('a thousand million values, none differing, each row of a profile that exists', () => {
  const { rows, values, differing, runtimes } = targetEvidence();
  expect(differing).toBe(0);
  expect(values).toBeGreaterThan(1e9);
  expect(runtimes).toBeGreaterThan(6);
  const known = new Set(allTargets.map(({ id }) => id));
  const profiles = rows.map(({ profile }) => profile).filter((name) => name.includes('@'));
  expect(profiles.filter((name) => !known.has(name))).toEqual([]);
});

test('one target, and one that was compared with nothing', async () => {
  const tflm = targetEvidence({ target: 'tflm' });
  expect(tflm.rows.length).toBeGreaterThan(0);
  expect(tflm.rows.every(({ profile }) => profile.startsWith('tflm@'))).toBe(true);
  const { code, out } = await lastbit('targets', 'nvdla', '--evidence');
  expect([code, out]).toEqual([0, expect.stringContaining('0 compared')]);
});
