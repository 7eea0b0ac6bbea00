// SPDX-License-Identifier: Apache-2.0
import { compareRuns } from '../../src/bench/exactness.js';
import type { CodeTensor, RunResult } from '../../src/program/executor.js';

const tensor = (name: string, ...codes: number[]): CodeTensor => ({
  name,
  dtype: 's8',
  height: 1,
  width: 1,
  channels: codes.length,
  data: Int8Array.from(codes),
  scale: 1,
  zeroPoint: 0,
});

const result = (tap: CodeTensor, output: CodeTensor): RunResult => ({
  outputs: [output],
  taps: new Map([[tap.name, tap]]),
});

const definition = () => result(tensor('a', 1, 2, 3), tensor('y', 4));
const inputs = [Int8Array.of(0), Int8Array.of(1)];

test('equal runs compare every value of every input', () => {
  expect(compareRuns(definition, definition, inputs)).toEqual({ compared: 8, differing: 0 });
});

test('differing values are counted, and the first one is named', () => {
  const subject = () => result(tensor('a', 1, 9, 9), tensor('y', 5));
  expect(compareRuns(subject, definition, inputs)).toEqual({
    compared: 8,
    differing: 6,
    first: { tensor: 'a', element: 1 },
  });
});

test('a missing tap differs in all of its values', () => {
  const subject = () => result(tensor('b', 1, 2, 3), tensor('y', 4));
  expect(compareRuns(subject, definition, inputs.slice(1)).differing).toBe(3);
});

test('a trap on one side alone is a difference', () => {
  const trap = { layer: 'a', element: 7, value: 1n };
  const subject = () => ({ ...definition(), trap });
  expect(compareRuns(subject, definition, inputs.slice(1))).toMatchObject({
    differing: 1,
    first: { tensor: 'a', element: 7 },
  });
  expect(compareRuns(subject, subject, inputs).differing).toBe(0);
});
