// SPDX-License-Identifier: Apache-2.0
import {
  bitsOfType,
  clampInteger,
  codeArrays,
  codeLimits,
  codeTypes,
} from '../../src/numeric/code-types.js';

test('the order of the types is that of their numbers in a file', () => {
  expect(codeTypes).toEqual(['u8', 's8', 's16', 's32']);
});

test.each([
  ['u8', 0, 255],
  ['s8', -128, 127],
  ['s16', -32768, 32767],
  ['s32', -2147483648, 2147483647],
] as const)('%s holds %d to %d, as its array does', (dtype, min, max) => {
  expect(codeLimits(dtype)).toEqual([min, max]);
  const array = codeArrays[dtype];
  expect(array.BYTES_PER_ELEMENT * 8).toBe(bitsOfType[dtype]);
  expect([...array.of(min, max)]).toEqual([min, max]);
  expect([...array.of(min - 1, max + 1)]).toEqual([max, min]);
});

test('fewer bits hold fewer codes', () => {
  expect(codeLimits('u8', 7)).toEqual([0, 127]);
  expect(codeLimits('s8', 4)).toEqual([-8, 7]);
  expect(codeLimits('s16', 12)).toEqual([-2048, 2047]);
});

test('clamping keeps both ends', () => {
  expect([-9, -8, 0, 7, 8].map((x) => clampInteger(x, -8, 7))).toEqual([-8, -8, 0, 7, 7]);
});
