// SPDX-License-Identifier: Apache-2.0
// Where the elements of an integer tensor can lie: the proof that 64 bits hold every step.

/** Least and greatest value, both included. */
export type Interval = readonly [least: bigint, greatest: bigint];

/** One interval for all channels, or one per channel. */
export type Bounds = readonly Interval[];

/** One number for all channels, or one per channel. */
export type Vector = readonly bigint[];

/** The entry of an array with one entry, or one per channel. */
export function entry<T>(array: readonly T[], channel: number): T {
  return array.length === 1 ? array[0]! : array[channel]!;
}

/** `make` for every channel of arrays that have one entry or one per channel. */
export function byChannel<T>(
  arrays: readonly (readonly unknown[])[],
  make: (channel: number) => T,
): T[] {
  const count = Math.max(...arrays.map((array) => array.length));
  return Array.from({ length: count }, (_, channel) => make(channel));
}

/** The least interval that holds all of these numbers. */
export function hull(values: readonly bigint[]): Interval {
  return [values.reduce((a, b) => (a < b ? a : b)), values.reduce((a, b) => (a > b ? a : b))];
}

/** The bounds of a function of one value and its channel that takes ends of intervals to ends. */
export function mapEnds(
  bounds: Bounds,
  arrays: readonly (readonly unknown[])[],
  apply: (value: bigint, channel: number) => bigint,
): Bounds {
  return byChannel([bounds, ...arrays], (c) => {
    const [least, greatest] = entry(bounds, c);
    return hull([apply(least, c), apply(greatest, c)]);
  });
}

/** Any typed array of integers as a vector. */
export function vectorOf(values: ArrayLike<number> | BigInt64Array): Vector {
  return Array.from(values as ArrayLike<number | bigint>, (value) => BigInt(value));
}

/** The smaller and the larger of two. */
export const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b);
export const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b);
