// SPDX-License-Identifier: Apache-2.0
import type { Chart } from '../charts/index.js';
import { Html, markup } from './markup.js';

/** @param svg of `renderChart` */
export function chartHtml({ id, title, description }: Chart, svg: string): Html {
  const labelled = markup`<svg role="img" aria-label="${title}. ${description}"`;
  const picture = new Html(plain(svg).replace('<svg', () => labelled.text));
  return markup`<figure id="figure-${id}"><figcaption>${title}<small>${description}</small></figcaption>
<div class="scroll" tabindex="0" role="group" aria-label="${title}">${picture}</div></figure>`;
}

/** Words of marks become tips; what Vega says about groups and axes would only repeat the description. */
function plain(svg: string): string {
  return svg
    .replace(/<(path|rect|line|text)([^>]*?) aria-label="([^"]*)"/g, '<$1$2 data-tip="$3"')
    .replace(/ (?:role|aria-[a-z]+|class|pointer-events)="[^"]*"/g, '')
    .replace(/<path(?: [^>]*)? d=""[^>]*\/>/g, '')
    .replace(/ xmlns(?::xlink)?="[^"]*"| version="1\.1"/g, '');
}
