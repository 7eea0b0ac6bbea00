// SPDX-License-Identifier: Apache-2.0

/** The entry of an array with one entry for all channels, or one per channel. */
export function entry<T>(array: ArrayLike<T>, channel: number): T {
  return array.length === 1 ? array[0]! : array[channel]!;
}
