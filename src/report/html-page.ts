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
  readonly charts: readonly { readonly chart: Chart; readonly svg: string }[];
}

/** @param version of lastbit, which the page names */
export async function drawPage(networks: readonly Network[], version: string): Promise<DrawnPage> {
  const chapters = networks.map(chapterOf);
  const charts: { chart: Chart; svg: string }[] = [];
  for (const chart of chapters.flatMap(chartsIn)) {
    charts.push({ chart, svg: await renderChart(chart) });
  }
  const drawn = new Map(charts.map(({ chart, svg }) => [chart.id, svg]));
  return { html: pageHtml({ chapters, drawn, version }), chapters, charts };
}

function chartsIn({ sections }: Chapter): readonly Chart[] {
  return sections.flatMap(({ blocks }) =>
    blocks.flatMap((block) => (block.kind === 'chart' ? [block.chart] : [])),
  );
}
