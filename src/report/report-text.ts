// SPDX-License-Identifier: Apache-2.0
import type { ReportDocument } from './documents.js';
import { factList } from './text-table.js';

export function reportText(document: ReportDocument): string {
  const { output, bytes, networks, plots, seconds } = document;
  return factList([
    ['page', `${output} (${(bytes / 1e6).toFixed(2)} MB)`],
    ...networks.flatMap(({ name, documents, sections }) => [
      ['network', `${name}: ${documents.map(({ command }) => command).join(', ')}`] as const,
      ['sections', sections.join(', ')] as const,
    ]),
    ['plots', plots.length === 0 ? undefined : `${plots.length} files`],
    ['time', `${seconds.toFixed(1)} s`],
  ]);
}
