// SPDX-License-Identifier: Apache-2.0
import type { Block, Section, Tile } from '../sections/index.js';
import { classesOf, factList } from './cell.js';
import { chartHtml } from './chart.js';
import { graphHtml } from './graph.js';
import { type Html, markup } from './markup.js';
import { tableHtml } from './table.js';

/** Charts that have been drawn, by id. */
export type DrawnCharts = ReadonlyMap<string, string>;

export function sectionHtml({ id, title, blocks }: Section, drawn: DrawnCharts): Html {
  const parts = blocks.map((block) => blockHtml(block, drawn));
  return markup`<section id="${id}"><h3>${title}</h3>
${parts}</section>
`;
}

function blockHtml(block: Block, drawn: DrawnCharts): Html {
  switch (block.kind) {
    case 'text':
      return markup`<p${toneOf(block.tone)}>${block.text}</p>`;
    case 'facts':
      return factList(block.facts);
    case 'tiles':
      return markup`<div class="tiles">${block.tiles.map(tileHtml)}</div>`;
    case 'table':
      return tableHtml(block.table);
    case 'chart':
      return chartHtml(block.chart, drawn.get(block.chart.id)!);
    case 'graph':
      return graphHtml(block.graph);
    case 'code':
      return markup`<p>${block.label}</p><pre tabindex="0" role="group" aria-label="${block.label}">${block.text}</pre>`;
  }
}

function tileHtml({ title, value, details, tone, href }: Tile): Html {
  const name = href === undefined ? markup`${title}` : markup`<a href="${href}">${title}</a>`;
  const list = details.map((detail) => markup`<li>${detail}</li>`);
  return markup`<div class="tile ${tone}"><h4>${name}</h4><div class="value">${value}</div><ul>${list}</ul></div>`;
}

function toneOf(tone: string | undefined): Html | undefined {
  return classesOf(tone === undefined || tone === 'plain' ? [] : [tone]);
}
