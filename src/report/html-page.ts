// SPDX-License-Identifier: Apache-2.0
// Documents -> networks -> chapters (data) -> charts drawn -> one page.
import { type Chart, renderChart } from './charts/index.js';
import { pageHtml } from './page/index.js';
import type { Network } from './read/index.js';
import { type Chapter, chapterOf } from './sections/index.js';

/** A page and the charts in it. */
export interface DrawnPage {
  readonly html: string;
  readonly chapters: readonly Chapter[];
  readonly charts: readonly Chart[];
}

/** @param version of lastbit, which the page names */
export async function drawPage(networks: readonly Network[], version: string): Promise<DrawnPage> {
  const chapters = networks.map(chapterOf);
  const charts = chapters.flatMap(chartsIn);
  const drawn = new Map<string, string>();
  for (const chart of charts) drawn.set(chart.id, await renderChart(chart));
  return { html: pageHtml({ chapters, drawn, version }), chapters, charts };
}

function chartsIn({ sections }: Chapter): readonly Chart[] {
  return sections.flatMap(({ blocks }) =>
    blocks.flatMap((block) => (block.kind === 'chart' ? [block.chart] : [])),
  );
}
