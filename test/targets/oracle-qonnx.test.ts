// SPDX-License-Identifier: Apache-2.0
// FINN's threshold ladders against qonnx's MultiThreshold.
import { differing, readGoldens } from './one-operator.js';

const { cases, provenance } = readGoldens('qonnx.json');

test('finn: every code of qonnx 1.0.0', () => {
  expect(provenance.qonnx).toBe('1.0.0');
  expect(cases).toHaveLength(24);
  expect(differing(cases)).toEqual({});
});
