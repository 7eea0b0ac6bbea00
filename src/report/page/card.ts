// SPDX-License-Identifier: Apache-2.0
import type { Card } from '../sections/index.js';
import { factList } from './cell.js';
import { type Html, markup } from './markup.js';

/** @param back anchor to go to where scripts do not run */
export function cardHtml({ id, title, name, groups }: Card, back: string): Html {
  const parts = groups.map((group) => markup`<h4>${group.title}</h4>${factList(group.facts)}`);
  const nothing = markup`<p>No result has figures of this layer.</p>`;
  const whole = name === title ? undefined : markup`<p>${name}</p>`;
  return markup`<article class="card" id="${id}" role="dialog" tabindex="-1" aria-labelledby="${id}-title">
<h3 id="${id}-title">${title}</h3><a class="close" href="#${back}">Close</a>
${whole}${parts.length === 0 ? nothing : parts}</article>
`;
}
