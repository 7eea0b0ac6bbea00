// SPDX-License-Identifier: Apache-2.0
/**
 * Which channel each one is behind a shuffle: `rows` x `columns` of them, read column by column (ShuffleNet,
 * Zhang et al. 2018, section 3.1).
 */
export function shuffledChannels(rows: number, columns: number): number[] {
  return Array.from(
    { length: rows * columns },
    (_, to) => (to % rows) * columns + Math.floor(to / rows),
  );
}
