// SPDX-License-Identifier: Apache-2.0
// The TOSA profiles against Arm's reference model.
import { differing, readGoldens } from './one-operator.js';

const { cases, provenance } = readGoldens('tosa.json');
const of = (target: string) => cases.filter((golden) => golden.target === target);

test('goldens are of the version that the profiles name', () => {
  expect(provenance['tosa-tools']).toBe('2026.8.0');
  expect(cases.length).toBeGreaterThan(60);
});

test.each(['tosa-single', 'tosa-double'])('%s: every code', (target) => {
  expect(differing(of(target))).toEqual({});
});

test('the two roundings are told apart', () => {
  expect(Object.keys(differing(of('tosa-double'), 'tosa-single'))).not.toEqual([]);
  expect(Object.keys(differing(of('tosa-single'), 'tosa-double'))).not.toEqual([]);
});
