// SPDX-License-Identifier: Apache-2.0
import type { ImageOutcome } from './tally.js';

const columns = ['file', 'label', 'top', 'rank', 'tiedAtTop', 'floatTop', 'floatRank'] as const;

/**
 * One line an image, RFC 4180: the label, the winner of the integers and where the label stands among the
 * scores (0 is first), whether the highest score is shared, and the float net's answer where there is one.
 */
export function outcomesCsv(outcomes: readonly ImageOutcome[]): string {
  const lines = outcomes.map(({ name, label, quantized, float }) => [
    /[",\r\n]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name,
    ...[label, quantized.top, quantized.rank, quantized.tiedAtTop ? 1 : 0],
    ...[float?.top ?? '', float?.rank ?? ''],
  ]);
  return [columns, ...lines].map((line) => `${line.join(',')}\r\n`).join('');
}
