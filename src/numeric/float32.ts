// SPDX-License-Identifier: Apache-2.0
// IEEE binary32 operations that JavaScript does not have, each with exactly one rounding.
// f32(x) itself is Math.fround; f32(a op b) for f32 a, b and op one of + - * / is
// Math.fround(a op b): binary64 has more than 2 * 24 + 2 bits, so rounding twice changes nothing.

const asDouble = new Float64Array(1);
const asBits = new BigInt64Array(asDouble.buffer);

/**
 * The real number `value + rest` rounded to odd in binary64: an inexact result gets an odd last
 * bit, so that a following rounding to binary32 is correct (Boldo and Melquiond, "Emulation of FMA
 * and correctly rounded sums").
 *
 * @param rest what `value` lacks, less than one unit in the last place of it
 */
function roundToOdd(value: number, rest: number): number {
  if (rest === 0 || value === 0) return value;
  asDouble[0] = value;
  if ((asBits[0]! & 1n) === 1n) return value;
  // The bit pattern grows with the magnitude, whatever the sign.
  asBits[0]! += rest > 0 === value > 0 ? 1n : -1n;
  return asDouble[0];
}

/** fma(a, b, c) of three f32 values: a * b + c with one rounding to f32. */
export function fmaF32(a: number, b: number, c: number): number {
  const product = a * b; // exact: 24 + 24 bits
  const sum = product + c;
  const part = sum - product;
  const rest = product - (sum - part) + (c - part); // Knuth's TwoSum: exact error of the sum
  return Math.fround(roundToOdd(sum, rest));
}

/** f32(a) of an integer of up to 64 bits. */
export function bigToF32(a: bigint): number {
  const value = Number(a);
  return Math.fround(roundToOdd(value, Number(a - BigInt(value))));
}
