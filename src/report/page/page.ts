// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';

import type { Chapter } from '../sections/index.js';
import { cardHtml } from './card.js';
import { Html, markup } from './markup.js';
import { pageScript } from './script.js';
import { type DrawnCharts, sectionHtml } from './section.js';
import { styleSheet } from './style.js';

export interface Page {
  readonly chapters: readonly Chapter[];
  readonly drawn: DrawnCharts;
  /** Of lastbit. */
  readonly version: string;
}

/** One file that needs nothing else: no network, no other file, and its policy forbids both. */
export function pageHtml(page: Page): string {
  const title = `lastbit report: ${page.chapters.map((chapter) => chapter.title).join(', ')}`;
  const whole = markup`<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${new Html(styleSheet)}</style></head>
<body>${bodyHtml(page, title)}
<script>${new Html(pageScript)}</script></body></html>
`;
  return whole.text;
}

/** Nothing is loaded; only the page's own style and script count, by their hashes. */
const policy = [
  "default-src 'none'",
  `style-src '${hashOf(styleSheet)}'`,
  `script-src '${hashOf(pageScript)}'`,
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

function bodyHtml({ chapters, drawn, version }: Page, title: string): Html {
  const promise =
    'Every figure comes from the documents listed under "How to reproduce"; "not stated" where they have none.';
  return markup`<a class="skip" href="#main">Skip to the results</a>
<div class="page"><header><h1>${title}</h1><p>${promise}</p></header>
${navigation(chapters)}
<main id="main" tabindex="-1">${chapters.map((chapter) => chapterHtml(chapter, drawn))}</main>
<footer>Made by lastbit ${version}. SQNR: signal to quantization noise ratio. LSB: a step of a layer's codes.</footer></div>
<aside aria-label="Cards of layers">${chapters.map(cardsHtml)}</aside>
<div id="tip" aria-hidden="true"></div>`;
}

function navigation(chapters: readonly Chapter[]): Html {
  const parts = chapters.map(({ title, sections, id }) => {
    const links = sections.map((one) => markup`<li><a href="#${one.id}">${one.title}</a></li>`);
    return markup`<p><a href="#${id}">${title}</a></p><ul>${links}</ul>`;
  });
  return markup`<nav aria-label="Contents">${parts}</nav>`;
}

function chapterHtml({ id, title, sections }: Chapter, drawn: DrawnCharts): Html {
  const parts = sections.map((section) => sectionHtml(section, drawn));
  return markup`<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${title}</h2>${parts}</section>`;
}

function cardsHtml({ id, cards }: Chapter): readonly Html[] {
  return cards.map((card) => cardHtml(card, id));
}
