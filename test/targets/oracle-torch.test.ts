// SPDX-License-Identifier: Apache-2.0
// Profiles of PyTorch's engines against what PyTorch 1.13.1 computed.
import { differing, readGoldens } from './one-operator.js';

const { cases, provenance } = readGoldens('torch.json');
const of = (target: string) => cases.filter((golden) => golden.target === target);

test('goldens are of the version that the profiles name', () => {
  expect(provenance.torch).toBe('1.13.1');
  expect(cases.length).toBeGreaterThan(90);
});

test.each(['qnnpack', 'fbgemm', 'fbgemm-avx2'])('%s: every code', (target) => {
  expect(of(target).length).toBeGreaterThan(20);
  expect(differing(of(target))).toEqual({});
});
