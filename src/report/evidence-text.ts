// SPDX-License-Identifier: Apache-2.0
import type { EvidenceDocument } from './documents.js';
import { textTable } from './text-table.js';

export function evidenceText(document: EvidenceDocument): string {
  const { rows, runtimes, values, differing, accepted } = document;
  const count = (n: number): string => n.toLocaleString('en-US');
  const table = textTable(rows, [
    { title: 'profile', value: ({ profile }) => profile },
    { title: 'runtime that ran', value: ({ runtime }) => runtime },
    { title: 'runs', value: ({ runs }) => count(runs), align: 'right' },
    { title: 'compared', value: (row) => count(row.values), align: 'right' },
    { title: 'differing', value: (row) => count(row.differing), align: 'right' },
    { title: 'of', value: ({ unit }) => unit },
  ]);
  const others = textTable(accepted, [
    { title: 'what others accept', value: ({ who }) => who },
    { title: 'tolerance', value: ({ tolerance }) => tolerance },
    { title: 'source', value: ({ source }) => source },
  ]);
  const sum = `${count(values)} compared in ${runtimes} runtimes and versions, ${count(differing)} differing\n`;
  return [table, sum, others].join('\n');
}
