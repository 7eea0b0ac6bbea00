// SPDX-License-Identifier: Apache-2.0
import { LayerErrors } from '../../src/analyze/layer-errors.js';
import type { ProgramTensor } from '../../src/program/program.js';

/** Two pixels of two channels; a step is a quarter. */
const output: ProgramTensor = {
  ...{ name: 'y', dtype: 's8', height: 1, width: 2, channels: 2 },
  ...{ scale: 0.25, zeroPoint: 10 },
};
/** NHWC: channel 0 is 1 and 2, channel 1 is -1 and -2. */
const codes = Int8Array.of(14, 6, 18, 2);

test('without rescaled channels both units differ by the step alone', () => {
  const errors = new LayerErrors(output, undefined);
  errors.add(Float32Array.of(1, 1.5, -1, -2), codes);
  expect(errors.result().maxAbsError).toBe(0.5);
  expect(errors.maxLsb).toBe(2);
  expect(errors.rmsLsb).toBe(1);
});

test('a step of a rescaled channel is worth its share in the original', () => {
  const errors = new LayerErrors(output, [1, 8]);
  // Channel 1 holds eight times the original: -1/8 and -2/8 are exact, -3/8 is 4 steps beside -2.
  errors.add(Float32Array.of(1, 2, -1 / 8, -3 / 8), codes);
  expect(errors.result().maxAbsError).toBe(1 / 8);
  expect(errors.maxLsb).toBe(4);
  expect(errors.rmsLsb).toBe(2);
});

test('nothing added is no error', () => {
  expect(new LayerErrors(output, undefined).rmsLsb).toBe(0);
});
