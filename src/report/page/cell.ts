// SPDX-License-Identifier: Apache-2.0
import type { Cell, Fact } from '../sections/index.js';
import { type Html, markup } from './markup.js';

/** Longer texts get room to wrap. */
const wideText = 40;

/** Attributes of a cell's element: how it looks and what it is sorted by. */
export function attributesOf(cell: Cell, more: readonly string[] = []): Html {
  const { sort, text, tone, missing } = cell;
  const classes = [
    ...more,
    ...(missing === true ? ['missing'] : []),
    ...(tone === undefined || tone === 'plain' ? [] : [tone]),
    ...(sort === undefined && text.length > wideText ? ['wide'] : []),
  ];
  const key = sort === undefined ? undefined : markup` data-sort="${sort}"`;
  return markup`${classesOf(classes)}${key}`;
}

export function classesOf(names: readonly string[]): Html | undefined {
  return names.length === 0 ? undefined : markup` class="${names.join(' ')}"`;
}

export function contentOf({ text, href, title }: Cell): Html {
  const tip = title === undefined || title === text ? undefined : markup` title="${title}"`;
  if (href !== undefined) return markup`<a href="${href}"${tip}>${text}</a>`;
  return tip === undefined ? markup`${text}` : markup`<span${tip}>${text}</span>`;
}

export function factList(facts: readonly Fact[]): Html {
  const rows = facts.map(([name, { text, tone, missing, href, title }]) => {
    const looks = attributesOf({ text, ...(tone && { tone }), ...(missing && { missing }) });
    const content = contentOf({ text, ...(href && { href }), ...(title && { title }) });
    return markup`<dt>${name}</dt><dd${looks}>${content}</dd>`;
  });
  return markup`<dl>${rows}</dl>`;
}
